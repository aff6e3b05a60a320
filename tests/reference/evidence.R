# Pins metafor on rows of the evidence base, as the files in examples/ carry them, for
# tests/cli/test_pool.py. Run from tests/reference; writes evidence.json.
suppressMessages({library(metafor); library(jsonlite)})
tight <- list(threshold = 1e-14, maxiter = 10000, tol = 1e-14)
response <- read.csv("../../examples/prior.csv")
ratios <- read.csv("../../examples/hazard_ratios.csv")
sets <- list(
  proportion = as.data.frame(escalc("PLO", xi = events, ni = n, data = response))[c("yi", "vi")],
  hr = data.frame(yi = log(ratios$estimate),
    vi = ((log(ratios$conf_high) - log(ratios$conf_low)) / (2 * qnorm(0.975)))^2))
one <- function(e, method, test) {
  r <- rma(e$yi, e$vi, method = method, test = test, control = tight)
  p <- predict(r)
  q <- if (method == "EE") NULL else confint(r, control = tight)$random["tau^2", ]
  list(estimate = as.numeric(r$beta), std_error = r$se, conf_low = r$ci.lb, conf_high = r$ci.ub,
    pred_low = p$pi.lb, pred_high = p$pi.ub, statistic = r$zval, p_value = r$pval, tau2 = r$tau2,
    tau2_conf_low = if (is.null(q)) NA else q[["ci.lb"]],
    tau2_conf_high = if (is.null(q)) NA else q[["ci.ub"]],
    i2 = r$I2 / 100, h2 = r$H2, q = r$QE, q_p = r$QEp)
}
grid <- list()
for (s in names(sets)) for (m in c("REML", "DL", "EE")) for (t in c("z", "knha"))
  grid[[s]][[m]][[t]] <- one(sets[[s]], m, t)
out <- list(about = list(r = R.version.string, metafor = as.character(packageVersion("metafor")),
  call = "rma(yi, vi, method, test, control = tight); predict(); confint()"), grid = grid)
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE, na = "null"), "evidence.json")
