# Reference values for tests/meta/test_stratified.py. Run from this folder: Rscript stratified.R
suppressMessages({library(metafor); library(jsonlite)})
sparse <- data.frame(
  a = c(0, 2, 0, 5, 1, 0, 3, 12), n1 = c(20, 45, 31, 60, 25, 18, 40, 40),
  c = c(3, 0, 0, 9, 4, 1, 3, 11), n2 = c(22, 40, 30, 58, 27, 18, 12, 39))
sparse[9, ] <- c(15, 15, 9, 9)
bcg <- with(dat.bcg, data.frame(a = tpos, n1 = tpos + tneg, c = cpos, n2 = cpos + cneg))
catheter <- with(dat.nielweise2008, data.frame(x1 = x1i, t1 = t1i, x2 = x2i, t2 = t2i))
pick <- function(r) {
  one <- function(x) if (is.null(x) || length(x) == 0) NA else as.numeric(x)[1]
  list(estimate = one(r$beta), std_error = one(r$se), p_value = one(r$pval),
       conf_low = one(r$ci.lb), conf_high = one(r$ci.ub), q = one(r$QE), q_p = one(r$QEp),
       cmh = one(r$MH), cmh_p = one(r$MHp), breslow_day = one(r$BD), breslow_day_p = one(r$BDp),
       tarone = one(r$TA), tarone_p = one(r$TAp))
}
cells <- list()
add <- function(data, measure, method, call, fit) {
  cells[[length(cells) + 1]] <<- c(list(data = data, measure = measure, method = method,
                                        call = call), pick(fit))
}
for (name in c("bcg", "sparse")) {
  d <- get(name)
  for (m in c("OR", "RR", "RD")) {
    f <- suppressWarnings(rma.mh(ai = a, n1i = n1, ci = c, n2i = n2, measure = m, data = d))
    add(name, tolower(m), "mantel-haenszel", sprintf("rma.mh(measure='%s')", m), f)
  }
  f <- suppressWarnings(rma.peto(ai = a, n1i = n1, ci = c, n2i = n2, data = d))
  add(name, "or", "peto", "rma.peto()", f)
}
for (m in c("IRR", "IRD")) {
  f <- suppressWarnings(rma.mh(x1i = x1, t1i = t1, x2i = x2, t2i = t2, measure = m, data = catheter))
  add("catheter", tolower(m), "mantel-haenszel", sprintf("rma.mh(measure='%s')", m), f)
}
out <- list(
  versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  data = list(bcg = as.list(bcg), sparse = as.list(sparse), catheter = as.list(catheter)),
  cells = cells)
write_json(out, "stratified.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null")
