# Reference values for tests/meta/test_multilevel.py. Run from this folder: Rscript multilevel.R
# rma.mv with its optimiser tightened; the last call profiles the variances.
suppressMessages({library(metafor); library(jsonlite)})
kon <- dat.konstantopoulos2011
kon <- with(kon, data.frame(yi = yi, vi = vi, trial = district, estimate = school, year = year))
asn <- dat.assink2016
asn <- with(asn, data.frame(yi = yi, vi = vi, trial = study, estimate = esid, year = year))
set.seed(77)
pops <- rep(1:6, times = c(3, 2, 4, 1, 3, 2))
trial <- seq_along(pops)
reps <- sample(1:3, length(pops), TRUE)
sim <- data.frame(pop = rep(pops, reps), trial = rep(trial, reps))
sim$estimate <- seq_len(nrow(sim))
sim$vi <- round(runif(nrow(sim), 0.01, 0.15), 4)
sim$yi <- round(0.3 + rnorm(6, 0, .3)[sim$pop] + rnorm(15, 0, .2)[sim$trial] +
                rnorm(nrow(sim), 0, .1) + rnorm(nrow(sim), 0, sqrt(sim$vi)), 4)
sim$year <- round(rnorm(nrow(sim)), 3)
data <- list(konstantopoulos = kon, assink = asn, nested = sim)
# the tightest relative tolerance at which nlminb reports convergence
fit <- function(...) {
  for (tol in 10^-(14:9)) {
    r <- tryCatch(rma.mv(..., sparse = FALSE, control = list(optimizer = "nlminb", rel.tol = tol,
                  eval.max = 5000, iter.max = 5000)), error = function(e) NULL)
    if (!is.null(r)) return(r)
  }
  stop("no tolerance works")
}
cells <- list()
for (name in names(data)) {
  d <- data[[name]]
  f <- if (name == "nested") ~ 1 | pop/trial/estimate else ~ 1 | trial/estimate
  for (method in c("REML", "ML")) for (mods in c("1", "year")) for (test in c("z", "t")) {
    x <- if (mods == "1") matrix(1, nrow(d)) else cbind(1, d$year)
    r <- fit(d$yi, d$vi, mods = x, intercept = FALSE, random = f, data = d, method = method,
             test = test)
    pr <- if (mods == "1") predict(r) else NULL
    cells[[length(cells) + 1]] <- list(data = name, method = method, mods = mods, test = test,
      beta = as.numeric(r$beta), std_error = r$se, p_value = r$pval, conf_low = r$ci.lb,
      conf_high = r$ci.ub, sigma2 = r$sigma2, loglik = as.numeric(logLik(r)), aic = AIC(r),
      bic = BIC(r), q = r$QE, q_p = r$QEp,
      pred_low = pr$pi.lb, pred_high = pr$pi.ub)
  }
}
r <- rma.mv(yi, vi, random = ~ 1 | trial/estimate, data = kon)
ci <- confint(r, control = list(tol = 1e-10))
profile <- lapply(ci[1:2], function(x) as.numeric(x$random[1, 2:3]))
out <- list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  call = "rma.mv(yi, vi, random = ~ 1 | trial/estimate, control = nlminb rel.tol down to 1e-14)",
  data = lapply(data, as.list), profile = profile, cells = cells)
write_json(out, "multilevel.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null",
           null = "null")
