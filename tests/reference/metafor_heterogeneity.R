# Pins Q-profile and profile-likelihood intervals of tau2, tau, I2 and H2 (with and without a
# moderator), and subgroup estimates with a common tau2. Run from tests/reference after data.R.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
tight <- list(threshold = 1e-14, maxiter = 100000)
ci_tight <- list(tol = 1e-14, maxiter = 100000, tau2.max = 1000)
b <- get("bcg")
e <- escalc("RR", ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = b)
b$yi <- as.numeric(e$yi); b$vi <- as.numeric(e$vi); b$x <- b$ablat; b$g <- b$alloc
rows <- function(m) { m <- unname(m); m[3, ] <- m[3, ] / 100; m }
intervals <- list()
for (name in c("bcg", "sim_k05", "sim_k10", "sim_k20", "sim_k40")) for (mods in c("none", "x")) for (method in c("ML", "REML")) {
  d <- if (name == "bcg") b else get(name)
  r <- if (mods == "none") rma(yi, vi, data = d, method = method, control = tight) else rma(yi, vi, mods = ~ x, data = d, method = method, control = tight)
  intervals[[length(intervals) + 1]] <- list(data = name, mods = mods, method = method,
    pl = rows(confint(r, type = "PL", control = ci_tight)$random), qp = rows(confint(r, control = ci_tight)$random))
}
groups <- list()
for (name in c("bcg", "sim_k40")) for (test in c("z", "knha", "t")) {
  d <- if (name == "bcg") b else get(name)
  r <- rma(yi, vi, mods = ~ 0 + g, data = d, test = test, control = tight)
  r1 <- rma(yi, vi, mods = ~ g, data = d, test = test, control = tight)
  groups[[length(groups) + 1]] <- list(data = name, test = test, levels = sort(unique(d$g)), tau2 = r$tau2,
    estimate = as.numeric(r$beta), std_error = r$se, conf_low = r$ci.lb, statistic = r1$QM, p_value = r1$QMp)
}
json <- toJSON(list(certificate = list(script = "tests/reference/metafor_heterogeneity.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")), inputs = "tests/reference/data/*.csv"),
  intervals = intervals, groups = groups), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "metafor_heterogeneity.json")
