# Reference values for tests/meta/test_robust.py. Run from this folder: Rscript robust.R
# clubSandwich for CR0, CR1, CR1p and CR2 with Satterthwaite tests and the HTZ Wald test; metafor's
# own robust() for CR1p with m - p degrees of freedom. The working variances are written out, so
# that the tests start from the same working model.
suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})
kon <- with(dat.konstantopoulos2011, data.frame(yi = yi, vi = vi, trial = district,
                                                estimate = school, year = year - 1990))
asn <- with(dat.assink2016, data.frame(yi = yi, vi = vi, trial = study, estimate = esid,
                                       year = year))
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
bcg <- data.frame(yi = as.numeric(bcg$yi), vi = bcg$vi, trial = dat.bcg$alloc,
                  estimate = 1:13, year = dat.bcg$ablat - 33)
data <- list(konstantopoulos = kon, assink = asn, bcg = bcg)
cells <- list()
add <- function(name, model, mods, fit, working, cluster) {
  for (kind in c("CR0", "CR1", "CR1p", "CR2")) {
    v <- vcovCR(fit, cluster = cluster, type = kind)
    ct <- conf_int(fit, vcov = v, test = "Satterthwaite", level = 0.95)
    out <- list(data = name, model = model, mods = mods, kind = kind, working = working,
                beta = as.numeric(coef(fit)), std_error = sqrt(diag(as.matrix(v))), df = ct$df,
                conf_low = ct$CI_L, conf_high = ct$CI_U)
    if (kind == "CR1p") {
      r <- robust(fit, cluster = cluster, clubSandwich = FALSE)
      out$metafor_se <- r$se
      out$metafor_p <- r$pval
    }
    if (kind == "CR2" && mods != "1") {
      w <- Wald_test(fit, constrain_zero(2:length(coef(fit))), vcov = v, test = "HTZ")
      out$joint <- list(statistic = w$Fstat, df_denom = w$df_denom, p_value = w$p_val)
    }
    cells[[length(cells) + 1]] <<- out
  }
}
for (name in names(data)) {
  d <- data[[name]]
  for (mods in c("1", "year", "year + I(year^2)")) {
    if (name == "bcg" && mods != "1") next
    x <- as.formula(paste("~", mods))
    fit <- rma.uni(yi, vi, mods = x, data = d, method = "DL")
    add(name, "random", mods, fit, list(tau2 = fit$tau2), d$trial)
    if (name != "bcg") {
      fit <- rma.mv(yi, vi, mods = x, random = ~ 1 | trial/estimate, data = d, sparse = FALSE)
      add(name, "multilevel", mods, fit, list(sigma2 = fit$sigma2), d$trial)
    }
  }
}
out <- list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                  clubSandwich = as.character(packageVersion("clubSandwich"))),
  call = "vcovCR(fit, cluster, type); conf_int(test = 'Satterthwaite'); Wald_test(test = 'HTZ')",
  data = lapply(data, as.list), cells = cells)
write_json(out, "robust.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null",
           null = "null")
