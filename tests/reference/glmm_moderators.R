# Reference values for tests/meta/test_glmm_moderators.py: count models with a moderator by lme4, at
# the same number of quadrature points as the package, the optimiser's tolerances tightened.
# Run from this folder: Rscript glmm_moderators.R
suppressMessages({library(lme4); library(jsonlite)})
tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-9,
                      optCtrl = list(rhobeg = .02, rhoend = 1e-12, maxfun = 1e5),
                      check.conv.grad = "ignore", check.conv.hess = "ignore", calc.derivs = FALSE)
cells <- list()
add <- function(name, measure, formula, data, family, terms) {
  fit <- suppressWarnings(suppressMessages(
    glmer(formula, data = data, family = family, nAGQ = 25, control = tight)))
  cells[[length(cells) + 1]] <<- list(data = name, measure = measure,
    beta = as.numeric(fixef(fit)[terms]), tau2 = as.numeric(getME(fit, "theta"))^2,
    cov = unname(as.matrix(vcov(fit, use.hessian = FALSE)[terms, terms])))
}
long <- function(d, a, n, c, m, x) {
  k <- nrow(d)
  data.frame(y = c(d[[a]], d[[c]]), n = c(d[[n]], d[[m]]), group = rep(1:0, each = k),
             half = rep(c(.5, -.5), each = k), study = factor(rep(seq_len(k), 2)),
             x = rep(x, 2))
}
bcg <- read.csv("data/bcg.csv"); bcg$x <- (bcg$ablat - 33) / 10; bcg$study <- factor(seq_len(nrow(bcg)))
add("bcg", "proportion", cbind(events_treatment, n_treatment - events_treatment) ~ x + (1 | study),
    bcg, binomial, c("(Intercept)", "x"))
add("bcg", "rate", events_treatment ~ x + (1 | study) + offset(log(n_treatment)), bcg, poisson,
    c("(Intercept)", "x"))
l <- long(bcg, "events_treatment", "n_treatment", "events_control", "n_control", bcg$x)
add("bcg", "or", cbind(y, n - y) ~ -1 + group + group:x + study + (half - 1 | study), l, binomial,
    c("group", "group:x"))
d <- read.csv("data/nielweise2008.csv"); x <- seq_len(nrow(d)) %% 3
l <- long(d, "x1i", "t1i", "x2i", "t2i", x)
add("nielweise2008", "irr", y ~ -1 + group + group:x + study + (half - 1 | study) + offset(log(n)), l,
    poisson, c("group", "group:x"))
out <- list(certificate = list(script = "glmm_moderators.R", R = R.version.string,
              lme4 = as.character(packageVersion("lme4")), inputs = "data/bcg.csv, nielweise2008.csv"),
            cells = cells)
write_json(out, "glmm_moderators.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null",
           matrix = "rowmajor")
