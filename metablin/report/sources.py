"""What a text for a paper cites: the sources of the methods that were used."""

from __future__ import annotations

__all__ = ["SOURCES"]

SOURCES: dict[str, str] = {
    "reml": "Viechtbauer W. Bias and efficiency of meta-analytic variance estimators in the "
    "random-effects model. J Educ Behav Stat 2005;30:261-293. doi:10.3102/10769986030003261",
    "dl": "DerSimonian R, Laird N. Meta-analysis in clinical trials. Control Clin Trials "
    "1986;7:177-188. doi:10.1016/0197-2456(86)90046-2",
    "two-step": "DerSimonian R, Kacker R. Random-effects model for meta-analysis of clinical "
    "trials: an update. Contemp Clin Trials 2007;28:105-114. doi:10.1016/j.cct.2006.04.004",
    "he": "Hedges LV, Olkin I. Statistical methods for meta-analysis. San Diego: Academic Press; "
    "1985.",
    "hs": "Hunter JE, Schmidt FL. Methods of meta-analysis: correcting error and bias in research "
    "findings. Thousand Oaks: Sage; 1990.",
    "ml": "Hardy RJ, Thompson SG. A likelihood approach to meta-analysis with random effects. Stat "
    "Med 1996;15:619-629. doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A",
    "eb": "Morris CN. Parametric empirical Bayes inference: theory and applications. J Am Stat "
    "Assoc 1983;78:47-55. doi:10.2307/2287098",
    "pm": "Paule RC, Mandel J. Consensus values and weighting factors. J Res Natl Bur Stand "
    "1982;87:377-385. doi:10.6028/jres.087.022",
    "sj": "Sidik K, Jonkman JN. Simple heterogeneity variance estimation for meta-analysis. J R "
    "Stat Soc Ser C 2005;54:367-384. doi:10.1111/j.1467-9876.2005.00489.x",
    "sj-he": "Sidik K, Jonkman JN. A comparison of heterogeneity variance estimators in combining "
    "results of studies. Stat Med 2007;26:1964-1981. doi:10.1002/sim.2688",
    "hksj": "Hartung J, Knapp G. A refined method for the meta-analysis of controlled clinical "
    "trials with binary outcome. Stat Med 2001;20:3875-3889. doi:10.1002/sim.1009",
    "ad-hoc": "Knapp G, Hartung J. Improved tests for a random effects meta-regression with a "
    "single covariate. Stat Med 2003;22:2693-2710. doi:10.1002/sim.1482",
    "q": "Cochran WG. The combination of estimates from different experiments. Biometrics "
    "1954;10:101-129. doi:10.2307/3001666",
    "i2": "Higgins JPT, Thompson SG. Quantifying heterogeneity in a meta-analysis. Stat Med "
    "2002;21:1539-1558. doi:10.1002/sim.1186",
    "q-profile": "Viechtbauer W. Confidence intervals for the amount of heterogeneity in "
    "meta-analysis. Stat Med 2007;26:37-52. doi:10.1002/sim.2514",
    "prediction": "Higgins JPT, Thompson SG, Spiegelhalter DJ. A re-evaluation of random-effects "
    "meta-analysis. J R Stat Soc Ser A 2009;172:137-159. doi:10.1111/j.1467-985X.2008.00552.x",
    "mantel-haenszel": "Mantel N, Haenszel W. Statistical aspects of the analysis of data from "
    "retrospective studies of disease. J Natl Cancer Inst 1959;22:719-748. "
    "doi:10.1093/jnci/22.4.719",
    "peto": "Yusuf S, Peto R, Lewis J, Collins R, Sleight P. Beta blockade during and after "
    "myocardial infarction: an overview of the randomized trials. Prog Cardiovasc Dis "
    "1985;27:335-371. doi:10.1016/s0033-0620(85)80003-7",
    "glmm": "Stijnen T, Hamza TH, Ozdemir P. Random effects meta-analysis of event outcome in the "
    "framework of the generalized linear mixed model with applications in sparse data. Stat Med "
    "2010;29:3046-3067. doi:10.1002/sim.4040",
    "henmi-copas": "Henmi M, Copas JB. Confidence intervals for random effects meta-analysis and "
    "robustness to publication bias. Stat Med 2010;29:2969-2983. doi:10.1002/sim.4029",
    "student-t": "Baker R, Jackson D. A new approach to outliers in meta-analysis. Health Care "
    "Manag Sci 2008;11:121-131. doi:10.1007/s10729-007-9041-8",
    "mixture": "Beath KJ. A finite mixture method for outlier detection and robustness in "
    "meta-analysis. Res Synth Methods 2014;5:285-293. doi:10.1002/jrsm.1114",
    "profile": "Hardy RJ, Thompson SG. A likelihood approach to meta-analysis with random effects. "
    "Stat Med 1996;15:619-629. "
    "doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A",
    "multilevel": "Konstantopoulos S. Fixed effects and variance components estimation in "
    "three-level meta-analysis. Res Synth Methods 2011;2:61-76. doi:10.1002/jrsm.35",
    "bayes": "Röver C. Bayesian random-effects meta-analysis using the bayesmeta R package. J Stat "
    "Softw 2020;93(6):1-51. doi:10.18637/jss.v093.i06",
    "exact": "Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the "
    "case of the binomial. Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404",
    "cluster": "Hedges LV, Tipton E, Johnson MC. Robust variance estimation in meta-regression "
    "with dependent effect size estimates. Res Synth Methods 2010;1:39-65. doi:10.1002/jrsm.5",
    "regression": "Berkey CS, Hoaglin DC, Mosteller F, Colditz GA. A random-effects regression "
    "model for meta-analysis. Stat Med 1995;14:395-411. doi:10.1002/sim.4780140406",
    "smd": "Hedges LV. Distribution theory for Glass's estimator of effect size and related "
    "estimators. J Educ Stat 1981;6:107-128. doi:10.3102/10769986006002107",
    "freeman-tukey": "Freeman MF, Tukey JW. Transformations related to the angular and the square "
    "root. Ann Math Stat 1950;21:607-611. doi:10.1214/aoms/1177729756",
}
"""Sources by what they are cited for."""
