# Pins effect sizes and fits of every cell (data set x tau2 estimator x test) from metafor, with its
# own tolerances tightened. Run from tests/reference after data.R; writes metafor_grid.json.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
tight <- list(threshold = 1e-14, maxiter = 100000, tol = 1e-14)
sets <- list()
add <- function(name, measure, e) sets[[name]] <<- list(measure = measure, yi = as.numeric(e$yi), vi = as.numeric(e$vi))
d <- get("bcg"); s <- get("sparse")
for (m in c("OR", "RR", "RD")) {
  add(paste0("bcg_", tolower(m)), tolower(m), escalc(m, ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = d))
  add(paste0("sparse_", tolower(m)), tolower(m), escalc(m, ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = s))
}
p <- get("proportions_edge")
for (m in list(c("PLO", "logit"), c("PLN", "log"), c("PR", "raw"), c("PAS", "arcsine"), c("PFT", "freeman-tukey")))
  add(paste0("proportions_", m[2]), "proportion", escalc(m[1], xi = events, ni = n, data = p))
h <- get("log_hr")
add("log_hr", "hr", list(yi = log(h$estimate), vi = ((log(h$conf_high) - log(h$conf_low)) / (2 * qnorm(0.975)))^2))
for (k in c(3, 4, 5, 7, 10, 20, 40, 60)) { x <- get(sprintf("sim_k%02d", k)); add(sprintf("sim_k%02d", k), "generic", x) }
one <- function(e, method) {
  out <- list()
  for (test in c("z", "t", "knha", "adhoc")) {
    r <- suppressWarnings(rma(e$yi, e$vi, method = method, test = test, control = tight))
    pr <- predict(r)
    cell <- list(estimate = r$beta[1], std_error = r$se, conf_low = r$ci.lb, conf_high = r$ci.ub,
      statistic = r$zval, p_value = r$pval)
    if (method != "FE") cell <- c(cell, list(pred_low = pr$pi.lb, pred_high = pr$pi.ub))
    out$tests[[test]] <- cell
  }
  out <- c(list(tau2 = r$tau2, i2 = r$I2 / 100, h2 = r$H2, q = r$QE, q_p = r$QEp), out)
  out
}
grid <- list()
for (name in names(sets)) {
  e <- sets[[name]]
  fits <- list()
  for (method in c("FE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")) fits[[method]] <- one(e, method)
  r <- rma(e$yi, e$vi, method = "REML", control = tight)
  ci <- confint(r, control = list(tol = 1e-14, maxiter = 100000))$random[1, ]
  grid[[name]] <- list(measure = e$measure, yi = e$yi, vi = e$vi, q_profile = unname(ci[2:3]), fits = fits)
}
ipft <- list(x = c(-0.1, 0, 0.05, 0.7, 1.2, 1.5, 1.6), n = c(10, 20, 30))
ipft$p <- transf.ipft.hm(ipft$x, targs = list(ni = ipft$n))
json <- toJSON(list(certificate = list(script = "tests/reference/metafor_grid.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")), inputs = "tests/reference/data/*.csv"),
  freeman_tukey_back = ipft, grid = grid), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "metafor_grid.json")
