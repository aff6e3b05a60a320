# Reference values for tests/meta/test_selection_smooth.py: smooth selection functions of
# metafor's selmodel(). Run from this folder: Rscript selection_functions.R
suppressMessages({library(metafor); library(jsonlite)})
hackshaw <- dat.hackshaw1998
sets <- list(hackshaw1998 = list(d = hackshaw, alternative = "greater"),
             bcg = list(d = escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
                        alternative = "less"))
cells <- list()
for (name in names(sets)) for (type in c("halfnorm", "negexp", "logistic", "beta")) {
  s <- sets[[name]]
  res <- rma(yi, vi, data = s$d, method = "ML")
  # The beta function has corners where p is held at 1e-5, so R must integrate more finely; the
  # finest tolerance with which its optimiser does not stop.
  fine <- if (type == "beta") lapply(c(1e-9, 1e-6), function(tol)
    list(rel.tol = tol, subdivisions = 1000)) else list(list())
  for (one in fine) {
    f <- try(suppressWarnings(selmodel(res, type = type, alternative = s$alternative,
      control = list(rel.tol = 1e-10, intCtrl = one))))
    if (!inherits(f, "try-error")) break
  }
  if (inherits(f, "try-error")) next
  cells[[length(cells) + 1]] <- list(data = name, type = type, alternative = s$alternative,
    estimate = as.numeric(f$beta), std_error = f$se, tau2 = f$tau2, delta = f$delta,
    se_delta = f$se.delta, log_likelihood = as.numeric(f$fit.stats["ll", "ML"]), lrt = f$LRT,
    lrt_p = f$LRTp)
}
out <- list(
  certificate = list(script = "selection_functions.R", R = R.version.string,
    metafor = as.character(packageVersion("metafor")), inputs = "dat.hackshaw1998, dat.bcg"),
  data = lapply(sets, function(s) list(yi = as.numeric(s$d$yi), vi = as.numeric(s$d$vi))),
  cells = cells)
write_json(out, "selection_functions.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE,
           na = "null")
