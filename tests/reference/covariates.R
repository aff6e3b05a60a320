# Covariates on patients of several trials, and relapse against death: reference values of the R
# package survival for tests/meta/test_covariates.py and tests/survival/test_scores.py, in
# covariates.json; writes data/colon_relapse.csv. Run from this folder: Rscript covariates.R
suppressMessages({library(survival); library(jsonlite)})
d <- read.csv("data/colon.csv")
d$stratum <- factor(d$stratum); d$group <- relevel(factor(d$group), "Lev")
# Months: many deaths are tied.
d$months <- ceiling(d$time / 30.4375)
fit <- function(f) list(beta = unname(coef(f)), robust = unname(f$var), model = unname(f$naive.var),
  loglik = f$loglik[2])
out <- list(
  cox = fit(coxph(Surv(time, event) ~ group + x + strata(stratum), d, robust = TRUE)),
  tied = fit(coxph(Surv(months, event) ~ group + x + strata(stratum), d, robust = TRUE)),
  clustered = fit(coxph(Surv(months, event) ~ group + x + strata(stratum), d, cluster = stratum)))
tight <- survreg.control(rel.tolerance = 1e-13, maxiter = 100)
aft <- function(dist, formula) {
  f <- survreg(formula, d, dist = dist, robust = TRUE, control = tight)
  at <- c("groupLev+5FU", "groupObs", "x")
  i <- match(at, names(coef(f)))
  list(beta = unname(coef(f)[at]), robust = unname(f$var[i, i]), model = unname(f$naive.var[i, i]),
    loglik = f$loglik[2], scale = unname(f$scale))
}
shared <- Surv(time, event) ~ group + x + stratum
for (dist in c("weibull", "lognormal", "loglogistic")) out[[dist]] <- aft(dist, shared)
out$own_shape <- aft("weibull", update(shared, . ~ . + strata(stratum)))
# The first of relapse and death; arms as randomised.
relapse <- subset(colon, etype == 1); death <- subset(colon, etype == 2)
stopifnot(all(relapse$id == death$id))
r <- data.frame(time = relapse$time, event = ifelse(relapse$status == 1, 1, 2 * death$status),
  group = as.character(relapse$rx))
write.csv(r, "data/colon_relapse.csv", row.names = FALSE, quote = FALSE)
at <- c(100, 365, 1000, 2000)
incidence <- function(x) {
  s <- summary(survfit(Surv(time, factor(event, 0:2)) ~ 1, x, conf.type = "log-log"), times = at)
  list(estimate = s$pstate[, 2:3], conf_low = s$lower[, 2:3], conf_high = s$upper[, 2:3])
}
out$incidence <- list(times = at, all = incidence(r), groups = lapply(split(r, r$group), incidence))
out$versions <- list(R = as.character(getRversion()), survival = as.character(packageVersion("survival")))
write_json(out, "covariates.json", digits = I(17), auto_unbox = TRUE, na = "null", matrix = "rowmajor")
