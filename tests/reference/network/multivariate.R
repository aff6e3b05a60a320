# Reference values for tests/network/test_survival.py. Run from this folder: Rscript multivariate.R
# Two outcomes of two treatments (Berkey 1998, package metadat) by rma.mv with an unstructured
# covariance between studies, as metafor's own page of that analysis does; then weighted Cox fits of
# lung (package survival) with Breslow ties for three arms, and with a time-varying coefficient.
suppressMessages({library(metafor); library(metadat); library(survival); library(jsonlite)})
d <- dat.berkey1998
V <- as.matrix(bldiag(lapply(split(d[c("v1i", "v2i")], d$trial), as.matrix)))
m <- rma.mv(yi, V, mods = ~ outcome - 1, random = ~ outcome | trial, struct = "UN", data = d,
            method = "REML", control = list(rel.tol = 1e-12, iter.max = 1000, eval.max = 2000))
k <- lung[!is.na(lung$ph.ecog) & lung$ph.ecog < 3, ]
k <- data.frame(time = k$time, event = as.integer(k$status == 2), arm = k$ph.ecog)
three <- coxph(Surv(time, event) ~ factor(arm), data = k, ties = "breslow",
               control = coxph.control(eps = 1e-12, iter.max = 100))
two <- transform(k, arm = as.integer(arm > 0))
vary <- coxph(Surv(time, event) ~ arm + tt(arm), data = two, ties = "breslow",
              tt = function(x, t, ...) x * log(t), control = coxph.control(eps = 1e-12, iter.max = 100))
out <- list(certificate = list(script = "multivariate.R", call = "Rscript multivariate.R",
    R = R.version.string, packages = list(metafor = as.character(packageVersion("metafor")),
      survival = as.character(packageVersion("survival")), metadat = as.character(packageVersion("metadat"))),
    inputs = "metadat::dat.berkey1998 (Berkey and others 1998), survival::lung"),
  berkey = list(trial = d$trial, outcome = as.character(d$outcome), yi = d$yi, v1 = d$v1i, v2 = d$v2i,
    beta = unname(m$beta[, 1]), se = m$se, tau2 = m$tau2, rho = m$rho),
  lung = k, three = list(beta = unname(coef(three)), cov = unname(vcov(three))),
  vary = list(beta = unname(coef(vary)), cov = unname(vcov(vary))))
write(toJSON(out, digits = NA, auto_unbox = TRUE), "multivariate.json")
