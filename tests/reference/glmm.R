# Reference values for tests/meta/test_glmm.py. Run from this folder: Rscript glmm.R
# Each cell fits lme4::glmer (the fitter inside metafor::rma.glmm) at the stated nAGQ, then takes
# Newton steps on its deviance function (inner tolerance as tight as it goes) so that the
# optimiser's own stop rule does not show; standard errors come from the Hessian of that function by Richardson
# extrapolation. `loglik` is an independent sum of stats::integrate at the estimate (one random
# effect). `metafor` holds rma.glmm as a user would call it.
suppressMessages({library(metafor); library(lme4); library(numDeriv); library(jsonlite)})

bcg <- with(dat.bcg, data.frame(a = tpos, n1 = tpos + tneg, c = cpos, n2 = cpos + cneg))
zeros <- data.frame(a = c(0, 3, 12, 7, 0, 20, 9, 1), n1 = c(15, 22, 12, 31, 8, 45, 19, 28))
sparse <- data.frame(
  a = c(0, 2, 0, 5, 1, 0, 3, 12, 15), n1 = c(20, 45, 31, 60, 25, 18, 40, 40, 15),
  c = c(3, 0, 0, 9, 4, 1, 6, 19, 9), n2 = c(22, 40, 30, 58, 27, 18, 42, 39, 9))
catheter <- with(dat.nielweise2008, data.frame(x1 = x1i, t1 = t1i, x2 = x2i, t2 = t2i))
data <- list(bcg = bcg, zeros = zeros, sparse = sparse, catheter = catheter)
set.seed(20240)
for (k in c(3, 5, 8, 12, 20, 30, 45, 60)) {
  n <- sample(15:120, k, TRUE)
  m <- sample(15:120, k, TRUE)
  mu <- rnorm(k, -1, 0.5)
  te <- rnorm(k, -0.5, 0.6)
  data[[sprintf("sim%02d", k)]] <- data.frame(
    a = rbinom(k, n, plogis(mu + te)), n1 = n, c = rbinom(k, m, plogis(mu)), n2 = m)
}

polish <- function(...) {
  # the tightest inner tolerance at which lme4 still finds a falling step
  for (tol in 10^-(14:9)) {
    out <- tryCatch(polish_at(tol, ...), error = function(e) NULL)
    if (!is.null(out)) return(c(out, tolerance = tol))
  }
  stop("no tolerance works")
}
polish_at <- function(tol, formula, d, family, nAGQ) {
  tight <- glmerControl(optimizer = "bobyqa", tolPwrss = tol, calc.derivs = FALSE,
                        check.conv.singular = "ignore")
  fit <- suppressMessages(suppressWarnings(
    glmer(formula, data = d, family = family, nAGQ = nAGQ, control = tight)))
  dev <- suppressMessages(suppressWarnings(glmer(formula, data = d, family = family, nAGQ = nAGQ,
                                                 control = tight, devFunOnly = TRUE)))
  par <- c(getME(fit, "theta"), fixef(fit))
  free <- c(getME(fit, "theta") > 1e-3, rep(TRUE, length(fixef(fit))))
  par[!free] <- 0
  f <- function(z) { p <- par; p[free] <- z; dev(p) }
  z <- par[free]
  for (i in 1:4) z <- z - solve(hessian(f, z), grad(f, z))
  cov <- solve(hessian(f, z) / 2)
  par[free] <- z
  se <- rep(NA, length(par)); se[free] <- sqrt(diag(cov))
  list(par = par, se = se, names = names(fixef(fit)), gradient = max(abs(grad(f, z))))
}
outer_loglik <- function(fun, tau) sum(log(sapply(fun, function(g)
  integrate(function(b) g(b) * dnorm(b, 0, tau), -12 * tau, 12 * tau, subdivisions = 4000L,
            rel.tol = 1e-12, stop.on.error = FALSE)$value)))

cells <- list()
keep <- function(...) cells[[length(cells) + 1]] <<- list(...)
mf <- function(...) {
  r <- suppressWarnings(do.call(rma.glmm, list(...)))
  out <- list(estimate = as.numeric(r$beta)[1], std_error = r$se[1], tau2 = r$tau2,
       conf_low = r$ci.lb[1], conf_high = r$ci.ub[1], q = r$QE.LRT, i2 = r$I2 / 100, h2 = r$H2)
  if (!is.null(r$sigma2) && !is.na(r$sigma2)) out$sigma2 <- r$sigma2
  out
}

for (name in setdiff(names(data), "catheter")) {
  d <- data[[name]]
  d$study <- factor(seq_len(nrow(d)))
  for (q in c(1, 7, 25)) {
    p <- polish(cbind(a, n1 - a) ~ 1 + (1 | study), d, binomial, q)
    tau <- p$par[1]
    ll <- if (tau > 0) outer_loglik(lapply(seq_len(nrow(d)), function(i) {
      force(i); function(b) dbinom(d$a[i], d$n1[i], plogis(p$par[2] + b)) }), tau) else
      sum(dbinom(d$a, d$n1, plogis(p$par[2]), log = TRUE))
    m <- if (q == 7) mf(measure = "PLO", xi = d$a, ni = d$n1, test = "t") else NULL
    keep(data = name, measure = "proportion", model = "one-sample", points = q,
         estimate = p$par[2], std_error = p$se[2], tau2 = tau^2, loglik = ll,
         gradient = p$gradient,
       tolerance = p$tolerance,
         metafor = m)
  }
}
two <- function(d) {
  k <- nrow(d)
  if (is.null(d$a)) data.frame(y = c(d$x1, d$x2), t = c(d$t1, d$t2), group = rep(1:0, each = k),
    half = rep(c(.5, -.5), each = k), study = factor(rep(seq_len(k), 2)))
  else data.frame(y = c(d$a, d$c), n = c(d$n1, d$n2), group = rep(1:0, each = k),
    half = rep(c(.5, -.5), each = k), study = factor(rep(seq_len(k), 2)))
}
for (name in c("bcg", "sparse", "sim05", "sim12", "sim20")) {
  d <- data[[name]]
  d <- d[!(d$a + d$c == 0 | (d$a == d$n1 & d$c == d$n2)), ]
  l <- two(d)
  for (q in c(1, 7)) {
    p <- polish(cbind(y, n - y) ~ -1 + group + study + (half - 1 | study), l, binomial, q)
    m <- if (q == 7) mf(measure = "OR", ai = d$a, n1i = d$n1, ci = d$c, n2i = d$n2,
                        test = "t") else NULL
    keep(data = name, measure = "or", model = "UM.FS", points = q, estimate = p$par[2],
         std_error = p$se[2], tau2 = p$par[1]^2, gradient = p$gradient,
       tolerance = p$tolerance,
         metafor = m)
  }
  p <- polish(cbind(y, n - y) ~ 1 + group + (1 | study) + (half - 1 | study), l, binomial, 1)
  keep(data = name, measure = "or", model = "UM.RS", points = 1, estimate = p$par[4],
       std_error = p$se[4], tau2 = p$par[2]^2, sigma2 = p$par[1]^2, gradient = p$gradient,
       tolerance = p$tolerance,
       metafor = mf(measure = "OR", ai = d$a, n1i = d$n1, ci = d$c, n2i = d$n2, test = "t",
                    model = "UM.RS"))
}
d <- catheter
l <- two(d)
for (q in c(1, 7, 25)) {
  d$study <- factor(seq_len(nrow(d)))
  p <- polish(x1 ~ 1 + (1 | study) + offset(log(t1)), d, poisson, q)
  keep(data = "catheter", measure = "rate", model = "one-sample", points = q,
       estimate = p$par[2], std_error = p$se[2], tau2 = p$par[1]^2, gradient = p$gradient,
       tolerance = p$tolerance,
       metafor = if (q == 7) mf(measure = "IRLN", xi = d$x1, ti = d$t1, test = "t"))
}
for (q in c(1, 7)) {
  p <- polish(y ~ -1 + group + study + (half - 1 | study) + offset(log(t)), l, poisson, q)
  keep(data = "catheter", measure = "irr", model = "UM.FS", points = q, estimate = p$par[2],
       std_error = p$se[2], tau2 = p$par[1]^2, gradient = p$gradient,
       tolerance = p$tolerance,
       metafor = if (q == 7) mf(measure = "IRR", x1i = d$x1, t1i = d$t1, x2i = d$x2, t2i = d$t2,
                                test = "t"))
}
p <- polish(y ~ 1 + group + (1 | study) + (half - 1 | study) + offset(log(t)), l, poisson, 1)
keep(data = "catheter", measure = "irr", model = "UM.RS", points = 1, estimate = p$par[4],
     std_error = p$se[4], tau2 = p$par[2]^2, sigma2 = p$par[1]^2, gradient = p$gradient,
       tolerance = p$tolerance,
     metafor = mf(measure = "IRR", x1i = d$x1, t1i = d$t1, x2i = d$x2, t2i = d$t2, test = "t",
                  model = "UM.RS"))
out <- list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                  lme4 = as.character(packageVersion("lme4")),
                  numDeriv = as.character(packageVersion("numDeriv"))),
  call = "glmer(..., nAGQ = points, control = glmerControl(tolPwrss = `tolerance`)), polished",
  data = lapply(data, as.list), cells = cells)
write_json(out, "glmm.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null",
           null = "null")
