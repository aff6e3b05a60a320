# Reference values for tests/network/test_counts.py. Run from this folder: Rscript glmm.R
# Binomial-normal networks of the two-arm studies of two public data sets (package metadat) by
# lme4::glmer with fixed study effects, a random effect on -1/2 and +1/2, and 21 quadrature points;
# common-effect networks of all their studies, multi-arm ones included, by glm.
suppressMessages({library(lme4); library(metadat); library(jsonlite)})
sets <- list(
  hasselblad1998 = with(dat.hasselblad1998, data.frame(study = study, treatment = trt, events = xi, n = ni)),
  dogliotti2014 = with(dat.dogliotti2014, data.frame(study = id, treatment = treatment, events = stroke, n = total)),
  baker2009 = with(dat.baker2009, data.frame(study = study, treatment = treatment, events = exac, n = total)))
informed <- function(d) {
  x <- tapply(d$events, d$study, sum); full <- tapply(d$events == d$n, d$study, all)
  d[d$study %in% names(x)[x > 0 & !full], ]
}
one <- function(d) {
  d <- informed(transform(d, study = as.character(study), treatment = as.character(treatment)))
  g <- glm(cbind(events, n - events) ~ factor(study) + treatment, family = binomial, data = d,
           control = glm.control(epsilon = 1e-13, maxit = 100))
  t <- d[d$study %in% names(which(table(d$study) == 2)), ]
  t <- t[order(t$study, t$treatment), ]
  t$half <- rep(c(-0.5, 0.5), nrow(t) / 2)
  m <- NULL
  for (tol in 10^-(12:7)) {  # the tightest inner tolerance at which lme4 still finds a falling step
    m <- tryCatch(glmer(cbind(events, n - events) ~ factor(study) + treatment + (0 + half | study),
      family = binomial, data = t, nAGQ = 21, control = glmerControl(optimizer = "bobyqa",
        tolPwrss = tol, optCtrl = list(rhoend = 1e-9, maxfun = 1e6))), error = function(e) NULL)
    if (!is.null(m)) break
  }
  if (is.null(m)) stop("no tolerance works")
  k <- grep("^treatment", names(fixef(m))); kg <- grep("^treatment", names(coef(g)))
  list(two_arm = t[c("study", "treatment", "events", "n")],
       names = sub("^treatment", "", names(fixef(m))[k]), beta = unname(fixef(m)[k]),
       se = unname(sqrt(diag(as.matrix(vcov(m)))[k])), tau2 = unname(VarCorr(m)$study[1, 1]),
       glm_names = sub("^treatment", "", names(coef(g))[kg]), glm_beta = unname(coef(g)[kg]),
       glm_se = unname(sqrt(diag(vcov(g))[kg])))
}
out <- list(certificate = list(script = "glmm.R", call = "Rscript glmm.R", R = R.version.string,
    packages = list(lme4 = as.character(packageVersion("lme4")), metadat = as.character(packageVersion("metadat"))),
    inputs = "metadat: dat.hasselblad1998, dat.dogliotti2014, dat.baker2009"),
  cells = lapply(sets, one))
write(toJSON(out, digits = NA, auto_unbox = TRUE), "glmm.json")
