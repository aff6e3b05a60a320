# The binomial-normal likelihood of CR/CRh in adults with relapsed or refractory Ph-negative disease
# is highest at tau2 = 0 although the likelihood-ratio Q says that the cohorts differ: its profile in
# tau by lme4 and by stats::integrate, and its slope there. Read by tests/meta/test_glmm_boundary.py.
# Run from this folder: Rscript glmm_boundary.R
suppressMessages({library(metafor); library(lme4); library(jsonlite)})
ROWS <- c("prop-china_blina-001", "prop-japan_adult-001", "prop-japan_adult-002", "prop-mt103_206-001",
  "prop-mt103_211-001", "prop-tower-005")
d <- read.csv("../../examples/prior.csv")
d <- d[match(ROWS, d$row_id), c("row_id", "events", "n")]
d$study <- factor(seq_len(nrow(d)))
control <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, calc.derivs = FALSE, check.conv.singular = "ignore")
form <- cbind(events, n - events) ~ 1 + (1 | study)
fit <- suppressMessages(glmer(form, d, binomial, nAGQ = 25, control = control))
dev <- suppressMessages(glmer(form, d, binomial, nAGQ = 25, control = control, devFunOnly = TRUE))
# lme4 leaves the constants out of the deviance with quadrature; at tau = 0 both are one likelihood.
pooled <- sum(d$events) / sum(d$n)
constant <- sum(dbinom(d$events, d$n, pooled, log = TRUE)) + dev(c(0, qlogis(pooled))) / 2
marginal <- function(mu, tau) if (tau == 0) sum(dbinom(d$events, d$n, plogis(mu), log = TRUE)) else
  sum(log(mapply(function(y, n) integrate(function(b) dbinom(y, n, plogis(mu + b)) * dnorm(b, 0, tau),
    -12 * tau, 12 * tau, rel.tol = 1e-12, subdivisions = 2000)$value, d$events, d$n)))
profile <- lapply(c(0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2), function(tau) {
  best <- optimize(function(mu) marginal(mu, tau), c(-2, 2), maximum = TRUE, tol = 1e-10)
  lme <- optimize(function(mu) -dev(c(tau, mu)) / 2, c(-2, 2), maximum = TRUE, tol = 1e-10)
  list(tau = tau, mu = best$maximum, loglik = best$objective, lme4 = lme$objective + constant)
})
# The second, lower maximum, and where the profile has fallen by half a chi-squared quantile.
height <- function(tau) optimize(function(mu) marginal(mu, tau), c(-2, 2), maximum = TRUE, tol = 1e-10)$objective
second <- optimize(height, c(0.12, 0.25), maximum = TRUE, tol = 1e-10)
fallen <- uniroot(function(tau) height(tau) - height(0) + qchisq(0.95, 1) / 2, c(0.3, 2), tol = 1e-11)$root
# Slope of the log likelihood in tau2 at 0: half the sum of squared residuals less their variance.
expected <- d$n * pooled
excess <- (d$events - expected)^2 - expected * (1 - pooled)
m <- rma.glmm(measure = "PLO", xi = d$events, ni = d$n, nAGQ = 25)
out <- list(script = "glmm_boundary.R", versions = list(R = R.version.string,
  lme4 = as.character(packageVersion("lme4")), metafor = as.character(packageVersion("metafor"))),
  inputs = "../../examples/prior.csv", rows = d$row_id, events = d$events, n = d$n,
  theta = unname(getME(fit, "theta")), mu = unname(fixef(fit)), profile = profile,
  second = list(tau = second$maximum, loglik = second$objective), tau2_conf_high = fallen^2,
  slope = sum(excess) / 2, excess = excess / 2,
  metafor = list(tau2 = m$tau2, estimate = as.numeric(m$beta), q = m$QE.LRT, q_p = m$QEp.LRT))
write_json(out, "glmm_boundary.json", digits = I(17), auto_unbox = TRUE, na = "null")
