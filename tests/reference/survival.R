# Writes five data sets of the R package survival to data/*.csv and their reference values to
# survival.json, for tests/survival. Run from this folder: Rscript survival.R
suppressMessages({library(survival); library(jsonlite)})
frame <- function(time, event, group, stratum, x) {
  i <- seq_along(time)
  data.frame(time = as.numeric(time), event = as.integer(event), group = as.character(group),
    stratum = as.character(stratum), x = as.numeric(x),
    entry = floor(time * c(0, 0.1, 0.3, 0, 0.5)[(i - 1) %% 5 + 1]),
    weight = c(1, 2, 1, 0.5, 3)[(i - 1) %% 5 + 1])
}
death <- subset(colon, etype == 2)
trial <- subset(pbc, !is.na(trt))
sets <- list(
  lung = with(lung, frame(time, status == 2, sex, ifelse(age >= 65, "old", "young"), age)),
  veteran = with(veteran, frame(time, status, trt, celltype, karno)),
  ovarian = with(ovarian, frame(futime, fustat, rx, resid.ds, age)),
  colon = with(death, frame(time, status, rx, extent, age)),
  pbc = with(trial, frame(time, status == 2, trt, sex, age)))
for (n in names(sets)) write.csv(sets[[n]], sprintf("data/%s.csv", n), row.names = FALSE, quote = FALSE)

PROBS <- c(0.1, 0.25, 0.5, 0.75, 0.9)
curve <- function(f, keep) {
  q <- quantile(f, PROBS)
  list(time = f$time[keep], n_risk = f$n.risk[keep], n_event = f$n.event[keep],
    survival = f$surv[keep], std_error = (f$surv * f$std.err)[keep],
    conf_low = f$lower[keep], conf_high = f$upper[keep],
    cumulative_hazard = f$cumhaz[keep], std_error_hazard = f$std.chaz[keep],
    quantiles = list(p = PROBS, estimate = as.numeric(q$quantile),
      conf_low = as.numeric(q$lower), conf_high = as.numeric(q$upper)))
}
kept <- function(f) if (length(f$time) > 200) seq(1, length(f$time), 10) else seq_along(f$time)
km <- function(d) {
  out <- list()
  for (ct in c("log", "log-log", "plain")) {
    f <- survfit(Surv(time, event) ~ 1, d, conf.type = ct)
    out[[ct]] <- curve(f, kept(f))
  }
  f <- survfit(Surv(time, event) ~ 1, d, weights = weight, robust = FALSE); out$weighted <- curve(f, kept(f))
  f <- survfit(Surv(entry, time, event) ~ 1, d); out$truncated <- curve(f, kept(f))
  f <- survfit(Surv(time, 1 - event) ~ 1, d, conf.type = "log-log"); q <- quantile(f, 0.5)
  out$reverse <- c(q$quantile, q$lower, q$upper)
  out
}
rmst <- function(d) {
  top <- min(tapply(d$time, d$group, max))
  lapply(round(top * c(0.4, 0.6, 0.9)), function(tau) {
    one <- function(x) {
      t <- summary(survfit(Surv(time, event) ~ 1, x), rmean = tau)$table
      list(rmst = t[["rmean"]], std_error = t[["se(rmean)"]])
    }
    list(tau = tau, all = one(d), groups = lapply(split(d, d$group), one))
  })
}
difference <- function(d) {
  one <- function(f, rho) {
    r <- survdiff(f, d, rho = rho)
    obs <- if (is.matrix(r$obs)) rowSums(r$obs) else r$obs
    exp <- if (is.matrix(r$exp)) rowSums(r$exp) else r$exp
    list(rho = rho, chisq = r$chisq, observed = obs, expected = exp, var = as.matrix(r$var))
  }
  list(plain = lapply(c(0, 0.5, 1), function(r) one(Surv(time, event) ~ group, r)),
    stratified = lapply(c(0, 1), function(r) one(Surv(time, event) ~ group + strata(stratum), r)))
}
cox <- function(d) {
  forms <- list(group = Surv(time, event) ~ group, adjusted = Surv(time, event) ~ group + x,
    stratified = Surv(time, event) ~ group + x + strata(stratum),
    truncated = Surv(entry, time, event) ~ group + x)
  out <- list()
  for (ties in c("efron", "breslow")) for (n in names(forms)) for (w in c(FALSE, TRUE)) {
    ctl <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50)
    f <- if (w) coxph(forms[[n]], d, weights = weight, ties = ties, control = ctl, robust = FALSE) else
      coxph(forms[[n]], d, ties = ties, control = ctl)
    z <- list()
    if (!w) for (tr in c("km", "rank", "identity", "log"))
      z[[tr]] <- unname(as.data.frame(cox.zph(f, transform = tr, terms = FALSE)$table)[c("chisq", "df")])
    out[[length(out) + 1]] <- list(model = n, ties = ties, weighted = w, coef = unname(coef(f)),
      var = unname(vcov(f)), loglik = f$loglik, score = f$score, wald = f$wald.test, zph = z)
  }
  out
}
parametric <- function(d) {
  ctl <- survreg.control(rel.tolerance = 1e-13, maxiter = 100)
  out <- list()
  for (w in c(FALSE, TRUE)) for (dist in c("exponential", "weibull", "lognormal", "loglogistic")) {
    f <- if (w) survreg(Surv(time, event) ~ 1, d, weights = weight, dist = dist, control = ctl) else
      survreg(Surv(time, event) ~ 1, d, dist = dist, control = ctl)
    out[[length(out) + 1]] <- list(family = dist, weighted = w, mu = unname(coef(f)), sigma = f$scale,
      var = unname(vcov(f)), loglik = f$loglik[2])
  }
  out
}
made <- lapply(sets, function(d) list(km = km(d), groups = lapply(split(d, d$group), function(x) {
    f <- survfit(Surv(time, event) ~ 1, x, conf.type = "log-log"); curve(f, kept(f)) }),
  rmst = rmst(d), difference = difference(d), cox = cox(d), parametric = parametric(d)))
# Quantiles where the curve is flat at exactly 1 - p, at the end of the curve, and not reached.
flat <- list(list(time = c(1, 2, 3, 4), event = c(1, 1, 1, 1)), list(time = c(1, 2, 3, 4), event = c(1, 1, 0, 0)),
  list(time = c(1, 2, 2, 3, 5, 8), event = c(1, 1, 1, 0, 0, 1)), list(time = 1:10, event = rep(1, 10)),
  list(time = 1:10, event = c(1, 0, 1, 0, 1, 0, 1, 0, 1, 0)), list(time = c(2, 3, 4), event = c(0, 0, 0)),
  list(time = c(0, 0, 4, 5, 9), event = c(1, 0, 1, 0, 1)))
corners <- lapply(flat, function(d) c(d, lapply(c(log = "log", `log-log` = "log-log", plain = "plain"), function(ct) {
  f <- survfit(Surv(d$time, d$event) ~ 1, conf.type = ct); curve(f, seq_along(f$time)) })))
out <- list(versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  sets = made, corners = corners)
write_json(out, "survival.json", digits = I(17), auto_unbox = TRUE, na = "null", matrix = "rowmajor")
