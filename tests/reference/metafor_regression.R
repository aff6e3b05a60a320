# Pins meta-regressions of metafor (data x formula x tau2 estimator x test) with predictions at new
# values, and exact permutation tests. Run from tests/reference after data.R.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
tight <- list(threshold = 1e-14, maxiter = 100000, tol = 1e-14)
b <- get("bcg")
e <- escalc("RR", ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = b)
b$yi <- as.numeric(e$yi); b$vi <- as.numeric(e$vi)
cases <- list(
  list(data = "bcg", d = b, mods = ~ ablat, new = rbind(c(13), c(33.5))),
  list(data = "bcg", d = b, mods = ~ ablat + alloc, new = rbind(c(33, 0, 1), c(44, 1, 0))),
  list(data = "bcg", d = b, mods = ~ ablat + year, new = rbind(c(33, 1955))),
  list(data = "bcg", d = b, mods = ~ 0 + alloc, new = rbind(c(1, 0, 0), c(0, 1, 0), c(0, 0, 1))),
  list(data = "raudenbush1985", d = get("raudenbush1985"), mods = ~ weeks, new = rbind(c(0), c(3))),
  list(data = "sim_k10", d = get("sim_k10"), mods = ~ x, new = rbind(c(0.5))),
  list(data = "sim_k60", d = get("sim_k60"), mods = ~ x + g, new = rbind(c(0.5, 1, 0), c(0, 0, 0))))
fit_one <- function(case, method) {
  out <- list()
  for (test in c("z", "t", "knha", "adhoc")) {
    r <- suppressWarnings(rma(yi, vi, mods = case$mods, data = case$d, method = method, test = test, control = tight))
    pr <- predict(r, newmods = case$new, intercept = r$int.incl)
    cell <- list(beta = as.numeric(r$beta), std_error = r$se, statistic = r$zval, p_value = r$pval,
      conf_low = r$ci.lb, conf_high = r$ci.ub, qm = r$QM, qm_df = r$QMdf[1], qm_p = r$QMp,
      pred = pr$pred, pred_se = pr$se, pred_conf_low = pr$ci.lb, pred_conf_high = pr$ci.ub)
    if (method != "FE") cell <- c(cell, list(pred_low = pr$pi.lb, pred_high = pr$pi.ub))
    out[[test]] <- lapply(cell, as.numeric)
  }
  head <- list(tau2 = r$tau2, i2 = r$I2 / 100, h2 = r$H2, q = r$QE, q_p = r$QEp,
    r2 = if (is.null(r$R2)) NULL else r$R2 / 100, tests = out)
  if (method == "REML") head$q_profile <- unname(confint(r, control = list(tol = 1e-14, maxiter = 100000))$random[1, 2:3])
  head
}
cells <- list()
for (case in cases) {
  fits <- list()
  for (method in c("FE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")) fits[[method]] <- fit_one(case, method)
  cells[[length(cells) + 1]] <- list(data = case$data, formula = paste(deparse(case$mods), collapse = ""), fits = fits)
}
set.seed(1)
small <- get("sim_k07")
perm <- list()
for (test in c("z", "knha")) {
  r <- rma(yi, vi, mods = ~ x, data = small, test = test, control = tight)
  p <- permutest(r, exact = TRUE, progbar = FALSE, control = list(comptol = 1e-9))
  r0 <- rma(yi, vi, data = small, test = test, control = tight)
  p0 <- permutest(r0, exact = TRUE, progbar = FALSE, control = list(comptol = 1e-9))
  perm[[test]] <- list(p_value = as.numeric(p$pval), qm_p = as.numeric(p$QMp), intercept_only = as.numeric(p0$pval))
}
json <- toJSON(list(certificate = list(script = "tests/reference/metafor_regression.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")), inputs = "tests/reference/data/*.csv"),
  cells = cells, permutation = perm), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "metafor_regression.json")
