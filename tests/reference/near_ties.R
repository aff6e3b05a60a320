# Times that differ by rounding (data/near_ties.csv: `clean` holds the same times rounded), and curves
# that end flat at one half, for tests/survival. Run from this folder: Rscript near_ties.R
suppressMessages({library(survival); library(jsonlite)})
d <- read.csv("data/near_ties.csv")
d$entry <- ifelse(seq_len(nrow(d)) %% 3 == 0, d$time * 0.3, 0)
curve <- function(f) list(time = f$time, n_risk = f$n.risk, n_event = f$n.event, survival = f$surv,
  std_error = f$surv * f$std.err)
ctl <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50)
model <- function(f, d) {
  m <- coxph(f, d, ties = "efron", control = ctl)
  list(log_hr = unname(coef(m)), std_error = sqrt(vcov(m)[1, 1]), loglik = m$loglik)
}
f <- survfit(Surv(time, event) ~ 1, d, conf.type = "log-log")
half <- data.frame(time = c(1, 2, 3, 4, 6, 60, 10, 20, 30, 40), event = c(1, 1, 1, 1, 1, 0, 0, 0, 0, 0))
falls <- data.frame(time = c(1, 2, 3, 4), event = c(1, 1, 1, 1))
printed <- function(d) {
  t <- summary(survfit(Surv(time, event) ~ 1, d, conf.type = "log-log"))$table
  list(time = d$time, event = d$event, median = t[["median"]],
    conf_low = t[["0.95LCL"]], conf_high = t[["0.95UCL"]])
}
out <- list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  calls = "survfit(Surv(time, event)), survdiff(~ arm), coxph(~ arm, ties = 'efron'), with timefix = TRUE",
  smallest = curve(survfit(Surv(c(0.3, 0.1 + 0.2), c(0, 1)) ~ 1)),
  entry = d$entry,
  km = curve(f),
  truncated = curve(survfit(Surv(entry, time, event) ~ 1, d)),
  rmst = summary(f, rmean = 20)$table[["rmean"]],
  logrank = survdiff(Surv(time, event) ~ arm, d)$chisq,
  cox = model(Surv(time, event) ~ arm, d),
  cox_truncated = model(Surv(entry, time, event) ~ arm, d),
  medians = list(half = printed(half), falls = printed(falls), near = printed(d)))
write(toJSON(out, digits = 15, auto_unbox = TRUE, na = "null", pretty = TRUE), "near_ties.json")
