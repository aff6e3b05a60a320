# Gamma, Gompertz and generalised gamma (Prentice 1974) survival models by base R's distribution
# functions and optimisers, with censoring, case weights and late entry; writes parametric.json for
# tests/survival. The data are those of survival.R. Run from this folder: Rscript parametric.R
suppressMessages({library(numDeriv); library(jsonlite)})
SETS <- c("lung", "veteran", "ovarian", "colon", "pbc")

# theta -> log density and log survival; theta is unconstrained.
families <- list(
  gamma = list(start = function(m) c(0, -log(m)),
    d = function(th, t) dgamma(t, exp(th[1]), rate = exp(th[2]), log = TRUE),
    s = function(th, t) pgamma(t, exp(th[1]), rate = exp(th[2]), lower.tail = FALSE, log.p = TRUE)),
  # Hazard exp(th[2] + th[1] t).
  gompertz = list(start = function(m) c(0.01 / m, -log(m)),
    d = function(th, t) th[2] + th[1] * t - exp(th[2]) * expm1(th[1] * t) / th[1],
    s = function(th, t) -exp(th[2]) * expm1(th[1] * t) / th[1]),
  # w = (log t - mu) / sigma; Q w = log(Q^2 g) with g from a gamma distribution of shape 1/Q^2.
  gengamma = list(start = function(m) c(log(m), 0, 0.5),
    d = function(th, t) {
      q <- th[3]; a <- 1 / q^2; qw <- q * (log(t) - th[1]) / exp(th[2])
      log(abs(q)) + a * log(a) - lgamma(a) - th[2] - log(t) + a * (qw - exp(qw))
    },
    s = function(th, t) {
      q <- th[3]; a <- 1 / q^2; qw <- q * (log(t) - th[1]) / exp(th[2])
      # Where the argument underflows, the first term of the series of the lower tail.
      log_x <- log(a) + qw
      ifelse(q < 0 & log_x < -700, a * log_x - lgamma(a + 1), pgamma(exp(log_x), a, lower.tail = q < 0, log.p = TRUE))
    }))

likelihood <- function(f, d, weight, entry) {
  died <- d$event == 1
  late <- entry > 0
  function(th) sum((weight * f$d(th, d$time))[died]) + sum((weight * f$s(th, d$time))[!died]) -
    sum((weight[late] * f$s(th, entry[late])))
}
# Derivatives by Richardson's extrapolation in units of about a standard error.
slopes <- function(g, at, unit) grad(function(u) g(at + unit * u), 0 * at, method.args = list(eps = 0.05)) / unit
curvature <- function(g, at, unit) hessian(function(u) g(at + unit * u), 0 * at,
  method.args = list(eps = 0.1)) / outer(unit, unit)

fit <- function(f, d, weighted, truncated) {
  ll <- likelihood(f, d, if (weighted) d$weight else rep(1, nrow(d)), if (truncated) d$entry else rep(0, nrow(d)))
  minus <- function(th) { v <- suppressWarnings(-ll(th)); if (is.finite(v)) v else 1e10 }
  start <- f$start(sum(d$time) / sum(d$event))
  scale <- 1 / pmax(abs(start), 1e-4)
  # The simplex finds the region, PORT's quasi-Newton the maximum, Newton's steps its last digits.
  rough <- optim(start, minus, control = list(parscale = 1 / scale, maxit = 5000, reltol = 1e-12))
  at <- nlminb(rough$par, minus, scale = scale, control = list(rel.tol = 1e-14, iter.max = 500, eval.max = 1000))$par
  unit <- pmax(abs(at), 1e-4) * 0.01
  for (i in 1:8) {
    h <- curvature(ll, at, unit)
    se <- sqrt(diag(solve(-h)))
    unit <- pmin(se, pmax(abs(at), 1) * 0.1)
    step <- solve(-h, slopes(ll, at, unit))
    at <- at + step
    if (max(abs(step / se)) < 1e-10) break
  }
  stopifnot(max(abs(step / se)) < 1e-8)
  v <- solve(-curvature(ll, at, unit))
  times <- as.numeric(quantile(d$time, c(0.25, 0.5, 0.9), type = 1))
  of <- function(g) { s <- slopes(g, at, unit); list(estimate = g(at), std_error = sqrt(c(s %*% v %*% s))) }
  s_at <- lapply(times, function(t) of(function(th) exp(f$s(th, t))))
  tau <- times[3]
  area <- of(function(th) integrate(function(x) exp(f$s(th, x)), 0, tau, rel.tol = 1e-13, subdivisions = 2000)$value)
  median <- uniroot(function(x) f$s(at, exp(x)) - log(0.5), log(range(d$time) * c(0.01, 100)), tol = 1e-14)
  list(weighted = weighted, truncated = truncated, theta = at, var = v, loglik = ll(at), times = times,
    survival = s_at, tau = tau, rmst = area, median = exp(median$root))
}
sets <- lapply(setNames(SETS, SETS), function(n) {
  d <- read.csv(sprintf("data/%s.csv", n))
  lapply(families, function(f) {
    cells <- expand.grid(weighted = c(FALSE, TRUE), truncated = c(FALSE, TRUE))
    Map(function(w, e) fit(f, d, w, e), cells$weighted, cells$truncated)
  })
})
# Two samples whose generalised gamma likelihood rises with |Q| for ever: its profile in Q.
endless <- list(plus = data.frame(time = 10 * (1:30 / 31)^0.8, event = 1),
  minus = data.frame(time = 2 * (1 - 0:29 / 31)^-0.5, event = rep(1:0, c(25, 5))))
sizes <- 2^(0:7)
profiles <- Map(function(d, sign) {
  ll <- likelihood(families$gengamma, d, rep(1, 30), rep(0, 30))
  edge <- log(if (sign > 0) max(d$time) else min(d$time))
  heights <- sapply(sizes, function(size) {
    minus <- function(x) { v <- -ll(c(edge + x[1] / size, x[2] - log(size), sign * size)); if (is.finite(v)) v else 1e10 }
    at <- c(0, 0)
    for (i in 1:5) at <- optim(at, minus, control = list(reltol = 1e-15, maxit = 5000))$par
    -minus(at)
  })
  list(time = d$time, event = d$event, size = sizes, loglik = heights)
}, endless, c(plus = 1, minus = -1))
out <- list(script = "parametric.R", versions = list(R = R.version.string,
  numDeriv = as.character(packageVersion("numDeriv"))), inputs = sprintf("data/%s.csv", SETS), sets = sets, endless = profiles)
write_json(out, "parametric.json", digits = I(17), auto_unbox = TRUE, na = "null", matrix = "rowmajor")
