# Pins leave-one-out, cumulative, influence, Baujat and GOSH values from metafor with its tolerances
# tightened. Run from tests/reference after data.R; writes influence.json.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
tight_for <- function(e) { s <- 1e-13 * max(0.1, var(as.numeric(e$yi))); list(threshold = s, maxiter = 10000, tol = s) }
sets <- list()
d <- get("bcg")
for (m in c("OR", "RR")) sets[[paste0("bcg_", tolower(m))]] <- escalc(m, ai = events_treatment,
  n1i = n_treatment, ci = events_control, n2i = n_control, data = d)[c("yi", "vi")]
sets$proportions_logit <- escalc("PLO", xi = events, ni = n, data = get("proportions_edge"))[c("yi", "vi")]
h <- get("log_hr")
sets$log_hr <- data.frame(yi = log(h$estimate),
  vi = ((log(h$conf_high) - log(h$conf_low)) / (2 * qnorm(0.975)))^2)
sets$normand1999 <- get("normand1999")[c("yi", "vi")]
for (k in c("03", "05", "10", "20")) sets[[paste0("sim_k", k)]] <- get(paste0("sim_k", k))[c("yi", "vi")]
num <- function(x) lapply(unclass(x), as.numeric)
keep <- c("estimate", "se", "zval", "tval", "pval", "pvals", "ci.lb", "ci.ub", "Q", "Qp", "tau2", "I2", "H2")
cut <- function(x) { x <- as.data.frame(x); x <- x[names(x) %in% keep]
  names(x)[names(x) == "tval"] <- "zval"; names(x)[names(x) == "pvals"] <- "pval"; lapply(x, as.numeric) }
one <- function(e, method, test, order) {
  r <- suppressWarnings(rma(e$yi, e$vi, method = method, test = test, control = tight_for(e)))
  i <- suppressWarnings(influence(r))
  pdf(NULL); b <- baujat(r, progbar = FALSE); invisible(dev.off())
  b <- b[order(as.numeric(b$slab)), ]
  list(leave_one_out = cut(leave1out(r)),
    cumulative = cut(suppressWarnings(cumul(r, order = order))),
    influence = c(num(as.data.frame(i$inf)[c("rstudent", "dffits", "cook.d", "cov.r", "tau2.del", "QE.del",
      "hat", "weight")]), list(dfbetas = as.numeric(as.data.frame(i$dfbs)[[1]]),
      influential = as.logical(i$is.infl))),
    baujat = list(x = as.numeric(b$x), y = as.numeric(b$y)))
}
grid <- list()
for (name in names(sets)) {
  e <- data.frame(yi = as.numeric(sets[[name]]$yi), vi = as.numeric(sets[[name]]$vi))
  order <- order(-e$vi)
  fits <- list()
  for (method in c("FE", "DL", "REML", "PM")) for (test in c("z", "knha"))
    fits[[method]][[test]] <- one(e, method, test, rank(-e$vi, ties.method = "first"))
  grid[[name]] <- list(yi = e$yi, vi = e$vi, order = order - 1, fits = fits)
}
# A meta-regression: BCG log risk ratios on latitude.
e <- sets$bcg_rr
m <- rma(yi, vi, mods = ~ ablat, data = data.frame(e, ablat = d$ablat), control = tight_for(e))
i <- influence(m)
regression <- list(x = d$ablat, influence = c(num(as.data.frame(i$inf)[c("rstudent", "dffits", "cook.d", "cov.r",
  "tau2.del", "QE.del", "hat", "weight")]), list(dfbetas = lapply(as.list(as.data.frame(i$dfbs)), as.numeric))))
gosh_of <- function(e, method) {
  r <- rma(e$yi, e$vi, method = method, control = tight_for(e))
  g <- gosh(r, progbar = FALSE)
  code <- as.numeric(as.matrix(g$incl) %*% 2^(0:(nrow(e) - 1)))
  o <- order(code); o <- o[as.numeric(g$res$k)[o] > 1]  # metafor also lists single studies
  c(list(code = code[o]), num(as.data.frame(g$res)[o, ]))
}
goshes <- list()
for (name in c("log_hr", "sim_k05")) for (method in c("FE", "DL", "REML"))
  goshes[[name]][[method]] <- gosh_of(data.frame(yi = as.numeric(sets[[name]]$yi), vi = as.numeric(sets[[name]]$vi)), method)
# Models without inverse-variance weights.
stratified <- with(d, list(
  `mantel-haenszel` = leave1out(rma.mh(ai = events_treatment, n1i = n_treatment, ci = events_control,
    n2i = n_control, measure = "OR")),
  peto = leave1out(rma.peto(ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control))))
stratified <- lapply(stratified, cut)
json <- toJSON(list(certificate = list(script = "tests/reference/influence.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")), inputs = "tests/reference/data/*.csv"),
  grid = grid, regression = regression, stratified = stratified, gosh = goshes), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "influence.json")
