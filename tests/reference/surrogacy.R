# Reference values for tests/mrd/test_bivariate.py and test_surrogacy.py. Run from this folder:
# Rscript surrogacy.R
# The bivariate model is rma.mv with struct = "UN". The model of Daniels and Hughes has no function
# of its own; at a given slope it is a random-effects model of y - slope * x with known variances
# vy + slope^2 vx - 2 slope cxy, so rma by maximum likelihood gives the rest and the slope is found
# by optimize() and uniroot() over its log likelihood.
suppressMessages({library(metafor); library(jsonlite)})
bcg <- read.csv("data/bcg.csv")
lo <- function(e, n) log(e / (n - e)); vlo <- function(e, n) 1 / e + 1 / (n - e)
bcg <- data.frame(study = bcg$study, x = lo(bcg$events_control, bcg$n_control),
  vx = vlo(bcg$events_control, bcg$n_control), y = lo(bcg$events_treatment, bcg$n_treatment),
  vy = vlo(bcg$events_treatment, bcg$n_treatment), cxy = 0)
b <- dat.berkey1998; pd <- b[b$outcome == "PD", ]; al <- b[b$outcome == "AL", ]
berkey <- data.frame(study = paste(pd$author, pd$year), x = pd$yi, vx = pd$v1i, y = al$yi, vy = al$v2i, cxy = pd$v2i)
daniels <- read.csv("data/daniels1997.csv")
data <- list(bcg = bcg, berkey = berkey, daniels = cbind(daniels, cxy = 0),
             daniels_correlated = cbind(daniels, cxy = -0.4 * sqrt(daniels$vx * daniels$vy)))

bivariate <- function(d) {
  k <- nrow(d)
  long <- data.frame(trial = rep(seq_len(k), each = 2), what = factor(rep(c("x", "y"), k)),
                     yi = as.vector(rbind(d$x, d$y)))
  V <- bldiag(lapply(seq_len(k), function(i) matrix(c(d$vx[i], d$cxy[i], d$cxy[i], d$vy[i]), 2)))
  # the tightest relative tolerance at which nlminb reports convergence
  fit <- function(rho = NA) {
    for (tol in 10^-(13:8)) {
      r <- tryCatch(rma.mv(yi, V, mods = ~ what - 1, random = ~ what | trial, struct = "UN",
        data = long, method = "ML", rho = rho, control = list(optimizer = "nlminb", rel.tol = tol,
        x.tol = 1e-12, eval.max = 5000, iter.max = 5000)), error = function(e) NULL)
      if (!is.null(r)) return(r)
    }
    stop("no tolerance works")
  }
  # nlminb stops on a flat top: a simplex over the fixed parameters walks on from there
  r <- fit()
  fixed <- function(u) rma.mv(yi, V, mods = ~ what - 1, random = ~ what | trial, struct = "UN",
    data = long, method = "ML", tau2 = exp(u[1:2]), rho = tanh(u[3]))
  u <- c(log(r$tau2), atanh(r$rho))
  for (i in 1:6) u <- optim(u, function(u) -as.numeric(logLik(fixed(u))),
    control = list(reltol = 1e-16, maxit = 2000, parscale = rep(10^-i, 3)))$par
  r <- fixed(u)
  # confint() stops too early here: the profile likelihood limits by hand
  gap <- function(rho) as.numeric(logLik(fit(rho)) - logLik(r)) + qchisq(0.95, 1) / 2
  end <- function(to) if (gap(to) > 0) sign(to) else
    uniroot(gap, sort(c(r$rho, to)), tol = 1e-9)$root
  ci <- c(end(-0.9999), end(0.9999))
  s <- r$G[1, 2] / r$G[1, 1]
  list(mean = as.numeric(r$beta), mean_cov = r$vb, between = r$G, rho = r$rho,
       rho_low = ci[1], rho_high = ci[2], slope = s,
       intercept = as.numeric(r$beta[2] - s * r$beta[1]), tau2 = r$G[2, 2] - s * r$G[1, 2],
       loglik = as.numeric(logLik(r)))
}

daniels_hughes <- function(d) {
  at <- function(s) rma(d$y - s * d$x, d$vy + s^2 * d$vx - 2 * s * d$cxy, method = "ML",
                        control = list(threshold = 1e-14, maxiter = 10000))
  ll <- function(s) as.numeric(logLik(at(s)))
  w <- lm(y ~ x, data = d, weights = 1 / vy)
  s0 <- coef(w)[[2]]; reach <- 4 * abs(s0) + 6 * sqrt(vcov(w)[2, 2])
  grid <- seq(s0 - reach, s0 + reach, length.out = 401)
  best <- grid[which.max(sapply(grid, ll))]; h <- grid[2] - grid[1]
  s <- optimize(ll, c(best - h, best + h), maximum = TRUE, tol = 1e-12)$maximum
  r <- at(s); top <- ll(s); drop <- qchisq(0.95, 1) / 2
  end <- function(sign) {
    far <- s + sign * h
    while (ll(far) > top - drop) far <- s + 2 * (far - s)
    uniroot(function(v) ll(v) - top + drop, sort(c(s, far)), tol = 1e-12)$root
  }
  list(slope = s, intercept = as.numeric(r$beta), tau2 = r$tau2, loglik = top, slope_low = end(-1),
       slope_high = end(1))
}

quiet <- function(x) suppressWarnings(x)
out <- list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  call = "rma.mv(yi, V, mods = ~ what - 1, random = ~ what | trial, struct = 'UN', method = 'ML'); rma(y - slope * x, v, method = 'ML')",
  data = lapply(data, as.list),
  bivariate = lapply(data[c("bcg", "berkey")], function(d) quiet(bivariate(d))),
  daniels_hughes = lapply(data, function(d) quiet(daniels_hughes(d))))
write_json(out, "surrogacy.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null", null = "null")
