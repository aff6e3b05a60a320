# Reference values for tests/meta/test_conditional.py: random-effects conditional logistic models of
# metafor (exact non-central hypergeometric, its binomial approximation, rates given their total).
# Run from this folder: Rscript conditional.R
suppressMessages({library(metafor); library(jsonlite); library(BiasedUrn)})
two <- function(name, ...) {
  d <- read.csv(sprintf("data/%s.csv", name))
  list(ai = d$events_treatment, n1i = d$n_treatment, ci = d$events_control, n2i = d$n_control)
}
rates <- read.csv("data/nielweise2008.csv")
pick <- function(f) list(
  estimate = as.numeric(f$beta), std_error = f$se, tau2 = f$tau2, conf_low = f$ci.lb,
  conf_high = f$ci.ub, log_likelihood = as.numeric(f$fit.stats["ll", "ML"]), k = f$k)
cells <- list()
add <- function(data, measure, approximate, call, fit)
  cells[[length(cells) + 1]] <<- c(list(data = data, measure = measure, approximate = approximate,
                                        call = call), pick(fit))
# the default integration stops at 1e-4
ctrl <- list(optimizer = "BFGS", optCtrl = list(reltol = 1e-13), dnchgprec = 1e-12,
             intCtrl = list(rel.tol = 1e-8))
for (name in c("nielweise2007", "collins1985b")) {
  d <- two(name)
  f <- do.call(rma.glmm, c(d, list(measure = "OR", model = "CM.EL", control = ctrl)))
  add(name, "or", FALSE, "rma.glmm(measure='OR', model='CM.EL')", f)
  f <- do.call(rma.glmm, c(d, list(measure = "OR", model = "CM.AL", nAGQ = 25)))
  add(name, "or", TRUE, "rma.glmm(measure='OR', model='CM.AL', nAGQ=25)", f)
}
f <- rma.glmm(measure = "IRR", x1i = rates$x1i, t1i = rates$t1i, x2i = rates$x2i, t2i = rates$t2i,
              model = "CM.EL", nAGQ = 25)
add("nielweise2008", "irr", FALSE, "rma.glmm(measure='IRR', model='CM.EL', nAGQ=25)", f)
out <- list(
  certificate = list(
    script = "conditional.R", R = R.version.string,
    metafor = as.character(packageVersion("metafor")), lme4 = as.character(packageVersion("lme4")),
    BiasedUrn = as.character(packageVersion("BiasedUrn")),
    inputs = "data/nielweise2007.csv, collins1985b.csv, nielweise2008.csv"),
  cells = cells)
write_json(out, "conditional.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null")
