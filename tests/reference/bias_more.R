# Reference values for tests/meta/test_bias_more.py and test_copas.py: regressions of funnel
# asymmetry written out with lm and rma, and tes and selmodel of metafor; limit meta-analysis, LFK
# index and Copas selection by metasens (not in Debian: without it the pinned values are kept).
# Run from this folder: Rscript bias_more.R
suppressMessages({library(metafor); library(jsonlite)})
two <- function(name) {
  d <- read.csv(sprintf("data/%s.csv", name))
  escalc("OR", ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = d)
}
sets <- list(bcg = two("bcg"), collins1985b = two("collins1985b"), hine1989 = two("hine1989"))
line <- function(f, df) { x <- coef(summary(f)); list(estimate = x[2, 1], std_error = x[2, 2],
  p_value = 2 * pt(-abs(x[2, 1] / x[2, 2]), df)) }
tight <- list(threshold = 1e-11, maxiter = 1000, tol = 1e-15)
regressions <- excess <- steps <- list()
for (name in names(sets)) {
  d <- sets[[name]]; y <- as.numeric(d$yi); v <- as.numeric(d$vi)
  n1 <- d$n_treatment; n2 <- d$n_control; k <- length(y)
  ess <- 4 * n1 * n2 / (n1 + n2); w <- sqrt(1 / n1 + 1 / n2); n <- n1 + n2
  t <- rma(y, v, mods = sqrt(v), method = "DL", test = "t")
  regressions[[name]] <- list(macaskill = line(lm(y ~ n, weights = 1 / v), k - 2),
    deeks = line(lm(y ~ I(1 / sqrt(ess)), weights = ess), k - 2),
    pustejovsky = line(lm(y ~ w, weights = 1 / v), k - 2),
    thompson = list(estimate = t$beta[2], std_error = t$se[2], p_value = t$pval[2]))
  for (m in c("EE", "REML")) for (a in c("two.sided", "less")) {
    f <- rma(y, v, method = m, control = tight)
    e <- tes(y, v, theta = as.numeric(f$beta), tau2 = f$tau2, alternative = a, test = "chi2",
             rel.tol = 1e-10)
    b <- tes(y, v, theta = as.numeric(f$beta), tau2 = f$tau2, alternative = a, test = "exact",
             rel.tol = 1e-10, progbar = FALSE)
    excess[[length(excess) + 1]] <- list(data = name, model = m, alternative = a, observed = e$O,
      expected = e$E, chi2 = e$X2, p_chi2 = e$pval, exact = b$pval)
  }
}
d <- dat.hackshaw1998; y <- as.numeric(d$yi); v <- as.numeric(d$vi)
for (s in list(c(.025, .5), c(.1, .2, .5))) for (a in c("greater", "two.sided")) {
  f <- selmodel(rma(y, v, method = "ML", control = tight), type = "stepfun", steps = c(s, 1),
                alternative = a)
  steps[[length(steps) + 1]] <- list(steps = s, alternative = a, estimate = as.numeric(f$beta),
    std_error = f$se, tau2 = f$tau2, delta = f$delta[-1], delta_se = f$se.delta[-1],
    loglik = as.numeric(logLik(f)), lrt = f$LRT, lrt_p = f$LRTp)
}
before <- if (file.exists("bias_more.json")) read_json("bias_more.json", simplifyVector = FALSE)
peers <- before$peers; versions <- before$certificate$peers
if (requireNamespace("metasens", quietly = TRUE)) {
  suppressMessages(library(metasens))
  pain <- data.frame(y = c(-4.27, -1.71, -.58, -.19, 0), v = c(.158, .076, .018, .022, .04))
  peers <- list()
  for (name in names(sets)) {
    d <- sets[[name]]; y <- as.numeric(d$yi); v <- as.numeric(d$vi)
    m <- metagen(y, sqrt(v), method.tau = "REML", control = list(threshold = 1e-11, maxiter = 1000))
    l <- limitmeta(m)
    lambda <- function(x) dnorm(x) / pnorm(x)
    s <- sqrt(v)
    copas <- lapply(list(c(.99, .5), c(.9, .3), c(.99, .8)), function(p) {
      g <- qnorm(p); g1 <- (g[1] - g[2]) / (1 / min(s) - 1 / max(s)); g0 <- g[2] - g1 / max(s)
      start <- rbind(c(m$TE.random, .5, m$tau), c(m$TE.random, -.5, m$tau), c(0, .2, .1))
      best <- NULL
      for (i in 1:3) {
        o <- optim(start[i, ], metasens:::copas.loglik.without.beta,
          gr = metasens:::copas.gradient.without.beta, lower = c(-Inf, -.9999, 0),
          upper = c(Inf, .9999, Inf), gamma = c(g0, g1), TE = y, seTE = s, method = "L-BFGS-B",
          control = list(factr = 10, pgtol = 0, maxit = 2000))
        if (is.null(best) || o$value < best$value) best <- o
      }
      list(published = p, gamma = c(g0, g1), estimate = best$par[1], rho = best$par[2],
           tau = best$par[3], minus_loglik = best$value)
    })
    peers[[name]] <- list(yi = y, vi = v,
      limit = list(estimate = l$TE.adjust, std_error = l$seTE.adjust, alpha = unname(l$alpha.r),
        beta = unname(l$beta.r), q_small = l$Q.small, q_residual = l$Q.resid, g2 = l$G.squared),
      lfk = lfkindex(y, sqrt(v))$lfkindex, copas = copas)
  }
  peers$pain <- list(lfk = lfkindex(pain$y, sqrt(pain$v))$lfkindex)
  versions <- list(meta = as.character(packageVersion("meta")),
                   metasens = as.character(packageVersion("metasens")))
}
out <- list(certificate = list(script = "bias_more.R", R = R.version.string,
    metafor = as.character(packageVersion("metafor")), peers = versions,
    inputs = "data/bcg.csv, collins1985b.csv, hine1989.csv; dat.hackshaw1998 of metadat"),
  regressions = regressions, excess = excess, steps = steps,
  hackshaw = list(yi = as.numeric(dat.hackshaw1998$yi), vi = as.numeric(dat.hackshaw1998$vi)),
  peers = peers)
write_json(out, "bias_more.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null")
