# Reference values for tests/network/test_indirect.py. Run from this folder: Rscript indirect.R
# Weights by optim on the sum of exp(x'a) (Signorovitch 2010); weighted hazard ratios by coxph with
# Breslow ties and robust variance; weighted odds ratios with the HC0 sandwich written out; the
# regressions of simulated treatment comparisons by glm, lm and coxph.
suppressMessages({library(survival); library(jsonlite)})
set.seed(4711)
n <- 240
d <- data.frame(age = round(rnorm(n, 52, 11), 1), male = rbinom(n, 1, 0.55), arm = rep(0:1, n / 2))
d$event <- rbinom(n, 1, plogis(-1 + 0.02 * (d$age - 50) + 0.3 * d$male - 0.6 * d$arm))
d$score <- round(2 + 0.05 * d$age - 0.4 * d$arm + rnorm(n), 3)
t0 <- rexp(n, 0.05 * exp(0.015 * (d$age - 50) - 0.4 * d$arm))
d$time <- pmin(ceiling(t0), 30); d$dead <- as.integer(t0 <= 30)
target <- list(age = 57, male = 0.4)
X <- cbind(d$age - target$age, d$male - target$male)
Z <- sweep(X, 2, apply(X, 2, sd), "/")
o <- optim(c(0, 0), function(a) sum(exp(Z %*% a)), function(a) colSums(as.vector(exp(Z %*% a)) * Z),
           method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
w <- as.vector(exp(Z %*% o$par)); w <- w * n / sum(w)
cox <- coxph(Surv(time, dead) ~ arm, data = d, weights = w, robust = TRUE, ties = "breslow")
arm_logit <- function(a) { k <- d$arm == a; m <- weighted.mean(d$event[k], w[k])
  v <- sum(w[k]^2 * (d$event[k] - m)^2) / sum(w[k])^2 / (m * (1 - m))^2; c(qlogis(m), v) }
l1 <- arm_logit(1); l0 <- arm_logit(0)
A <- d$age - target$age; M <- d$male - target$male
logit <- glm(event ~ arm * (A + M), data = d, family = binomial,
             control = glm.control(epsilon = 1e-14, maxit = 100))
line <- lm(score ~ arm * (A + M), data = d)
haz <- coxph(Surv(time, dead) ~ arm * (A + M), data = d,
             control = coxph.control(eps = 1e-14, iter.max = 100))
pick <- function(f, name = "arm") list(effect = unname(coef(f)[name]),
                                       variance = unname(vcov(f)[name, name]))
out <- list(certificate = list(script = "indirect.R", call = "Rscript indirect.R",
    R = R.version.string, packages = list(survival = as.character(packageVersion("survival"))),
    inputs = "simulated here, set.seed(4711)"),
  data = d, target = target, weights = w, ess = sum(w)^2 / sum(w^2),
  cox = list(effect = unname(coef(cox)), variance = cox$var[1, 1]),
  odds = list(effect = l1[1] - l0[1], variance = l1[2] + l0[2]),
  stc = list(or = pick(logit), md = pick(line), hr = pick(haz)))
write(toJSON(out, digits = NA, auto_unbox = TRUE), "indirect.json")
