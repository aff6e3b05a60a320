# Pins small-study tests, trim-and-fill, PET-PEESE and a step-function selection model from metafor
# with its tolerances tightened; Peters and Harbord, which metafor does not have in their published
# form, from lm(). Run from tests/reference after data.R; writes bias.json.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
tight_for <- function(e) { s <- 1e-13 * max(0.1, var(as.numeric(e$yi))); list(threshold = s, maxiter = 10000, tol = s) }
d <- get("bcg"); s <- get("sparse")
sets <- list()
for (m in c("OR", "RR")) sets[[paste0("bcg_", tolower(m))]] <- escalc(m, ai = events_treatment,
  n1i = n_treatment, ci = events_control, n2i = n_control, data = d)[c("yi", "vi")]
sets$proportions_logit <- escalc("PLO", xi = events, ni = n, data = get("proportions_edge"))[c("yi", "vi")]
h <- get("log_hr")
sets$log_hr <- data.frame(yi = log(h$estimate),
  vi = ((log(h$conf_high) - log(h$conf_low)) / (2 * qnorm(0.975)))^2)
sets$normand1999 <- get("normand1999")[c("yi", "vi")]
sets$raudenbush1985 <- get("raudenbush1985")[c("yi", "vi")]
for (k in c("05", "10", "20", "40", "60")) sets[[paste0("sim_k", k)]] <- get(paste0("sim_k", k))[c("yi", "vi")]
sets <- lapply(sets, function(e) data.frame(yi = as.numeric(e$yi), vi = as.numeric(e$vi)))
reg <- function(t) list(statistic = as.numeric(t$zval), p_value = as.numeric(t$pval),
  df = if (is.null(t$dfs) || is.na(t$dfs[1])) NA else as.numeric(t$dfs)[1],
  limit = as.numeric(t$est), limit_low = as.numeric(t$ci.lb), limit_high = as.numeric(t$ci.ub))
egger <- function(e) {
  out <- list()
  for (p in c("sei", "vi")) {
    for (test in c("z", "knha")) for (method in c("DL", "REML")) {
      r <- suppressWarnings(rma(e$yi, e$vi, method = method, test = test, control = tight_for(e)))
      out[[p]][[paste0("mixed_", method, "_", test)]] <- reg(regtest(r, predictor = p))
    }
    out[[p]]$linear <- reg(regtest(r, predictor = p, model = "lm"))
  }
  out
}
begg <- function(e) { t <- suppressWarnings(ranktest(rma(e$yi, e$vi, method = "FE")))
  list(tau = as.numeric(t$tau), p_value = as.numeric(t$pval)) }
fill <- function(e) {
  out <- list()
  for (method in c("FE", "DL", "REML")) for (est in c("L0", "R0")) for (side in c("left", "right", "auto")) {
    r <- suppressWarnings(rma(e$yi, e$vi, method = method, control = tight_for(e)))
    t <- suppressWarnings(if (side == "auto") trimfill(r, estimator = est) else trimfill(r, estimator = est, side = side))
    # trimfill() refits with metafor's default tolerances, so the centre of the trimmed studies and
    # the fit with the filled ones are computed again here from its k0 and side.
    sign <- if (t$side == "right") -1 else 1
    o <- order(sign * e$yi); kept <- o[seq_len(nrow(e) - t$k0)]; gone <- setdiff(o, kept)
    centre <- as.numeric(rma(e$yi[kept], e$vi[kept], method = method, control = tight_for(e))$beta)
    filled <- 2 * centre - e$yi[gone]
    f <- rma(c(e$yi, filled), c(e$vi, e$vi[gone]), method = method, control = tight_for(e))
    out[[method]][[est]][[side]] <- list(side = t$side, k0 = t$k0, se_k0 = as.numeric(t$se.k0),
      p_k0 = if (est == "R0") as.numeric(t$p.k0) else NA, estimate = as.numeric(f$beta), std_error = f$se,
      tau2 = f$tau2, conf_low = f$ci.lb, conf_high = f$ci.ub, filled = I(filled),
      trimfill_estimate = as.numeric(t$beta))
  }
  out
}
selection <- function(e, alternative) {
  r <- rma(e$yi, e$vi, method = "ML", control = tight_for(e))
  p <- pnorm(e$yi / sqrt(e$vi), lower.tail = FALSE)
  p <- switch(alternative, greater = p, less = 1 - p, two.sided = 2 * pmin(p, 1 - p))
  if (sum(p <= 0.025) < 1 || sum(p > 0.025) < 1) return(NULL)
  for (tol in 10^(-15:-8)) {
    f <- tryCatch(suppressWarnings(selmodel(r, type = "stepfun", steps = 0.025, alternative = alternative,
      control = list(optimizer = "nlminb", rel.tol = tol, x.tol = 1e-12, eval.max = 10000, iter.max = 10000))),
      error = function(c) NULL)
    if (!is.null(f)) break
  }
  if (is.null(f)) return(NULL)
  # nlminb with numerical gradients leaves about six digits; a restart without gradients, eight.
  again <- tryCatch(suppressWarnings(selmodel(r, type = "stepfun", steps = 0.025, alternative = alternative,
    control = list(optimizer = "uobyqa", beta.init = c(f$beta), tau2.init = f$tau2, delta.init = f$delta))),
    error = function(c) NULL)
  if (!is.null(again) && again$ll >= f$ll) f <- again
  list(estimate = as.numeric(f$beta), std_error = as.numeric(f$se), p_value = as.numeric(f$pval),
    conf_low = as.numeric(f$ci.lb), conf_high = as.numeric(f$ci.ub), tau2 = f$tau2, se_tau2 = as.numeric(f$se.tau2),
    delta = as.numeric(f$delta[2]), se_delta = as.numeric(f$se.delta[2]), log_likelihood = as.numeric(logLik(f)),
    lrt = as.numeric(f$LRT), lrt_p = as.numeric(f$LRTp),
    lrt_tau2 = as.numeric(f$LRT.tau2))
}
grid <- list()
for (name in names(sets)) {
  e <- sets[[name]]
  grid[[name]] <- list(yi = e$yi, vi = e$vi, egger = egger(e), begg = begg(e), trim_fill = fill(e),
    selection = list(greater = selection(e, "greater"), less = selection(e, "less"),
      two.sided = selection(e, "two.sided")))
}
coefs <- function(m, row) { c <- summary(m)$coefficients[row, ]
  list(slope = c[[1]], std_error = c[[2]], statistic = c[[3]], p_value = c[[4]], df = m$df.residual) }
tables <- list()
for (name in c("bcg", "sparse")) {
  x <- get(name)
  if (name == "sparse") x <- x[with(x, events_treatment + events_control > 0), ]
  a <- as.numeric(x$events_treatment); n1 <- as.numeric(x$n_treatment); c0 <- as.numeric(x$events_control)
  n2 <- as.numeric(x$n_control); n <- n1 + n2
  ev <- a + c0
  e <- escalc("OR", ai = a, n1i = n1, ci = c0, n2i = n2)
  w <- 1 / (1 / ev + 1 / (n - ev)); inverse <- 1 / n
  z <- a - n1 * ev / n; v <- n1 * n2 * ev * (n - ev) / (n^2 * (n - 1))
  score <- z / v; se <- 1 / sqrt(v)
  tables[[name]] <- list(peters = coefs(lm(e$yi ~ inverse, weights = w), 2),
    harbord = coefs(lm(score ~ se, weights = v), 2))
}
p <- get("proportions_edge"); p <- p[p$events > 0 & p$events < p$n, ]
e <- escalc("PLO", xi = events, ni = n, data = p); inverse <- 1 / p$n
tables$proportions <- list(peters = coefs(lm(e$yi ~ inverse, weights = 1 / e$vi), 2))
json <- toJSON(list(certificate = list(script = "tests/reference/bias.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")), inputs = "tests/reference/data/*.csv"),
  grid = grid, tables = tables), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "bias.json")
