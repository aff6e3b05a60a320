# Reference values for tests/meta/test_bayes.py. Run from this folder: Rscript bayes.R
# An independent computation: stats::integrate over tau on [0, Inf), in pieces, of the closed-form
# likelihood with mu integrated out. Nothing is shared with the package: no grid, no panels.
suppressMessages(library(jsonlite))
schools <- data.frame(yi = c(28, 8, -3, 7, -1, 1, 18, 12), se = c(15, 10, 16, 11, 9, 11, 10, 18))
crins <- data.frame(a = c(14, 16, 3, 9, 4, 0), n1 = c(61, 28, 18, 54, 36, 50),
                    c = c(15, 19, 8, 29, 11, 3), n2 = c(20, 28, 12, 54, 36, 34))
add <- ifelse(crins$a == 0, 0.5, 0)
cell <- with(crins, data.frame(a = a + add, b = n1 - a + add, c = c + add, d = n2 - c + add))
crins <- with(cell, data.frame(yi = log(a * d / (b * c)), se = sqrt(1 / a + 1 / b + 1 / c + 1 / d)))
data <- list(schools = schools, crins = crins)
dhn <- function(s) function(t) 2 * dnorm(t, 0, s)
dhc <- function(s) function(t) 2 * dcauchy(t, 0, s)
dln <- function(m, s) function(t) dlnorm(t, m, s)
settings <- list(
  list(data = "schools", prior = "half-cauchy", par = 25, f = dhc(25), mu = c(0, 50)),
  list(data = "schools", prior = "half-normal", par = 10, f = dhn(10), mu = NULL),
  list(data = "crins", prior = "half-normal", par = 0.5, f = dhn(0.5), mu = c(0, 4)),
  list(data = "crins", prior = "half-normal", par = 1, f = dhn(1), mu = NULL),
  list(data = "crins", prior = "half-cauchy", par = 1, f = dhc(1), mu = NULL),
  list(data = "crins", prior = "log-normal", par = c(-1.07, 0.87), f = dln(-1.07, 0.87),
       mu = c(0, 4)))
one <- function(s) {
  d <- data[[s$data]]
  y <- d$yi; v <- d$se^2; scale <- median(d$se)
  given <- function(t) {
    w <- 1 / (v + t^2); p <- sum(w); m <- sum(w * y)
    if (!is.null(s$mu)) { p <- p + 1 / s$mu[2]^2; m <- m + s$mu[1] / s$mu[2]^2 }
    c(m / p, 1 / sqrt(p))
  }
  loglik <- function(t) {
    g <- given(t); m <- g[1]
    # density of y at its conditional mean over the posterior density of mu there
    prior <- if (is.null(s$mu)) 0 else dnorm(m, s$mu[1], s$mu[2], log = TRUE)
    sum(dnorm(y, m, sqrt(v + t^2), log = TRUE)) + prior - dnorm(m, m, g[2], log = TRUE)
  }
  top <- loglik(scale)
  raw <- function(t) sapply(t, function(x) s$f(x) * exp(loglik(x) - top))
  cuts <- c(0, scale * c(0.02, 0.1, 0.3, 0.7, 1.5, 3, 6, 12, 30, 100, 1000), Inf)
  int <- function(g, upper = Inf) {
    ends <- c(cuts[cuts < upper], upper)
    sum(mapply(function(a, b) integrate(g, a, b, rel.tol = 1e-13, abs.tol = 0,
        subdivisions = 5000L, stop.on.error = FALSE)$value, head(ends, -1), tail(ends, -1)))
  }
  total <- int(raw)
  expect <- function(g) int(function(t) sapply(t, g) * raw(t)) / total
  mean_mu <- expect(function(t) given(t)[1])
  points <- if (s$data == "schools") c(-5, 0, 8, 20) else c(-2.5, -2, -1.5, -1)
  taus <- scale * c(0.1, 0.5, 1, 2)
  theta <- sapply(seq_along(y), function(i) {
    f <- function(t) { g <- given(t); b <- v[i] / (v[i] + t^2)
      c(y[i] + b * (g[1] - y[i]), sqrt((1 - b) * v[i] + b^2 * g[2]^2)) }
    m <- expect(function(t) f(t)[1])
    c(m, sqrt(expect(function(t) f(t)[2]^2 + (f(t)[1] - m)^2)))
  })
  list(data = s$data, prior = s$prior, par = s$par, mu_prior = s$mu,
       mean_mu = mean_mu,
       sd_mu = sqrt(expect(function(t) { g <- given(t); g[2]^2 + (g[1] - mean_mu)^2 })),
       points = points,
       cdf_mu = sapply(points, function(x) expect(function(t) {
         g <- given(t); pnorm(x, g[1], g[2]) })),
       cdf_new = sapply(points, function(x) expect(function(t) {
         g <- given(t); pnorm(x, g[1], sqrt(g[2]^2 + t^2)) })),
       taus = taus, cdf_tau = sapply(taus, function(x) int(raw, x) / total),
       mean_tau = expect(function(t) t),
       log_marginal = if (is.null(s$mu)) NA else log(total) + top,
       theta_mean = theta[1, ], theta_sd = theta[2, ])
}
out <- list(versions = list(R = R.version.string),
            call = "stats::integrate(rel.tol = 1e-13) over tau in 12 pieces",
            data = lapply(data, as.list), cells = lapply(settings, one))
write_json(out, "bayes.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null",
           null = "null")
