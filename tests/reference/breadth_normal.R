# Reference values for tests/meta/test_moments.py, test_weighted.py, test_failsafe.py and
# test_nested.py: further estimators and tests of metafor.
# Run from this folder: Rscript breadth_normal.R
suppressMessages({library(metafor); library(jsonlite)})
read <- function(name) {
  d <- read.csv(sprintf("data/%s.csv", name))
  if (name == "bcg") d <- escalc("RR", ai = events_treatment, n1i = n_treatment,
                                 ci = events_control, n2i = n_control, data = d)
  if (name %in% c("collins1985b", "hine1989"))
    d <- escalc("OR", ai = events_treatment, n1i = n_treatment, ci = events_control,
                n2i = n_control, data = d)
  d
}
sets <- c("bcg", "collins1985b", "hine1989", "normand1999", "raudenbush1985")
tight <- list(threshold = 1e-11, maxiter = 1000, tol = 1e-15)
dl <- function(d) rma(yi, vi, data = d, method = "DL")
moments <- weighted <- copas <- failsafe <- list()
for (name in sets) {
  d <- read(name); y <- as.numeric(d$yi); v <- as.numeric(d$vi); k <- length(y)
  he <- rma(y, v, method = "HE"); r <- dl(d)
  sj <- rma(y, v, method = "SJ", control = list(tau2.init = max(0.01, he$tau2)))
  second <- function(t) rma(y, v, method = "GENQ", weights = 1 / (v + t))$tau2
  plain <- rma(y, v, method = "SJ")$tau2
  limits <- function(t) (k - 1) * t / qchisq(c(.975, .025), k - 1)
  moments[[name]] <- list(yi = y, vi = v, `SJ-HE` = sj$tau2, DL2 = second(r$tau2),
    CA2 = second(he$tau2), sj = plain, sj_limits = limits(plain), sj_he_limits = limits(sj$tau2))
  w <- seq_len(k)
  one <- function(f) list(estimate = as.numeric(f$beta), std_error = f$se, conf_low = f$ci.lb,
                          conf_high = f$ci.ub, tau2 = f$tau2)
  weighted[[name]] <- list(
    equal_fixed = one(rma(y, v, method = "EE", weighted = FALSE)),
    equal_random = one(rma(y, v, method = "DL", weighted = FALSE)),
    user_fixed = one(rma(y, v, method = "EE", weights = w)),
    user_random = one(rma(y, v, method = "DL", weights = w)),
    user_t = one(rma(y, v, method = "DL", weights = w, test = "t")))
  h <- hc(r, control = list(tol = 1e-13, maxiter = 1000))
  copas[[name]] <- list(estimate = as.numeric(h$beta), std_error = h$se, conf_low = h$ci.lb,
                        conf_high = h$ci.ub, tau2 = h$tau2)
  ro <- fsn(y, v, type = "Rosenthal"); og <- fsn(y, v, type = "Orwin")
  ot <- fsn(y, v, type = "Orwin", target = 0.05); rb <- fsn(y, v, type = "Rosenberg")
  failsafe[[name]] <- list(rosenthal = ro$fsnum, rosenthal_p = ro$pval, orwin = og$fsnum,
    orwin_005 = ot$fsnum, rosenberg = rb$fsnum, rosenberg_p = rb$pval)
}
likelihood <- list(); prediction <- list(); contrasts <- list()
for (m in c("ML", "REML", "EE", "DL")) {
  d <- read("bcg")
  a <- rma(yi, vi, data = d, method = m, control = tight)
  b <- rma(yi, vi, mods = ~ ablat + year, data = d, method = m, control = tight)
  col <- if (m == "REML") "REML" else "ML"
  one <- function(f) as.list(setNames(f$fit.stats[, col], c("log_likelihood", "deviance", "aic",
                                                            "bic", "aicc")))
  likelihood[[m]] <- list(small = one(a), large = one(b))
  if (m != "DL") {
    t <- suppressWarnings(anova(b, a))
    likelihood[[m]]$lrt <- list(statistic = t$LRT, p_value = t$pval, df = t$parms.f - t$parms.r)
  }
}
for (m in c("REML", "DL")) for (test in c("z", "knha")) {
  d <- read("bcg")
  a <- rma(yi, vi, data = d, method = m, control = tight, test = test)
  b <- rma(yi, vi, mods = ~ ablat + year, data = d, method = m, control = tight, test = test)
  pl <- function(f) { p <- blup(f); list(pred = p$pred, se = p$se, low = p$pi.lb, high = p$pi.ub) }
  prediction[[length(prediction) + 1]] <- list(method = m, test = test, plain = pl(a), mods = pl(b))
  X <- rbind(c(1, 30, 1970), c(0, 10, 0), c(1, 13, 1960))
  t1 <- anova(b, X = X[1:2, ])
  t2 <- anova(b, X = X)
  contrasts[[length(contrasts) + 1]] <- list(method = m, test = test, X = X,
    estimate = as.numeric(t2$Xb), std_error = as.numeric(t2$se), p_value = as.numeric(t2$pval),
    q2 = t1$QM, q2_p = t1$QMp, q3 = t2$QM, q3_p = t2$QMp)
}
out <- list(
  certificate = list(script = "breadth_normal.R", R = R.version.string,
    metafor = as.character(packageVersion("metafor")),
    inputs = "data/bcg.csv, collins1985b.csv, hine1989.csv, normand1999.csv, raudenbush1985.csv"),
  moments = moments, weighted = weighted, henmi_copas = copas, failsafe = failsafe,
  likelihood = likelihood, prediction = prediction, contrasts = contrasts)
write_json(out, "breadth_normal.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE,
           na = "null", matrix = "rowmajor")
