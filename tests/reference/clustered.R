# Reference values for tests/meta/test_clustered.py and tests/cli/test_formulas.py. Run from this
# folder: Rscript clustered.R
# metafor's robust() without clubSandwich (CR1p, t with m - p degrees of freedom) on REML fits, with
# its prediction interval; and curved meta-regressions, in which ^ means power.
suppressMessages({library(metafor); library(jsonlite)})
tight <- list(threshold = 1e-14, maxiter = 10000)
bcg <- read.csv("data/bcg.csv")
hr <- read.csv("../cases/files/pool_repeated_study/s.csv")
sets <- list(
  bcg_rr = list(d = escalc(measure = "RR", ai = events_treatment, n1i = n_treatment,
                           ci = events_control, n2i = n_control, data = bcg),
                cluster = bcg$alloc),
  repeated_hr = list(d = data.frame(yi = log(hr$estimate),
                                    vi = ((log(hr$conf_high) - log(hr$conf_low)) /
                                            (2 * qnorm(0.975)))^2),
                     cluster = hr$study))
cells <- list()
for (name in names(sets)) {
  for (method in c("REML", "DL", "FE")) {
    d <- sets[[name]]$d
    fit <- rma.uni(yi, vi, data = d, method = method, control = tight)
    r <- robust(fit, cluster = sets[[name]]$cluster, clubSandwich = FALSE)
    p <- predict(r)
    cells[[length(cells) + 1]] <- list(
      data = name, method = method, estimate = as.numeric(r$b), std_error = r$se,
      conf_low = r$ci.lb, conf_high = r$ci.ub, df = r$dfs, p_value = r$pval,
      pred_low = if (method == "FE") NULL else p$pi.lb,
      pred_high = if (method == "FE") NULL else p$pi.ub)
  }
}
d <- sets$bcg_rr$d
curved <- list()
for (mods in c("~ ablat + I(ablat^2)", "~ poly(ablat, 2)", "~ (ablat + year)^2",
               "~ log(ablat) + sqrt(year - 1947)")) {
  fit <- rma.uni(yi, vi, mods = as.formula(mods), data = d, method = "REML", test = "knha",
                 control = tight)
  curved[[length(curved) + 1]] <- list(mods = mods, beta = as.numeric(fit$b), qm = fit$QM,
                                       std_error = fit$se)
}
fit <- rma.uni(yi, vi, mods = ~ ablat, data = d, method = "REML", control = tight)
r <- robust(fit, cluster = factor(rep(1:6, length.out = 13)), clubSandwich = FALSE)
slope <- list(beta = as.numeric(r$b), std_error = r$se, df = r$dfs, qm = r$QM, qm_p = r$QMp)
certificate <- list(script = "clustered.R", R = R.version.string,
                    metafor = as.character(packageVersion("metafor")),
                    inputs = list("data/bcg.csv", "../cases/files/pool_repeated_study/s.csv"))
write(toJSON(list(certificate = certificate, cells = cells, curved = curved, slope = slope),
             digits = NA, auto_unbox = TRUE, pretty = TRUE, null = "null"), "clustered.json")
