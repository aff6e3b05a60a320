# Reference values for tests/meta/test_containment.py: degrees of freedom by containment and
# predictions of rma.mv. Data and fits of structures.R. Run from this folder: Rscript containment.R
suppressMessages({library(metafor); library(jsonlite)})
kon <- dat.konstantopoulos2011[c("district", "school", "year", "yi", "vi")]
kon$half <- as.numeric(kon$school %% 2 == 0); kon$north <- as.numeric(kon$district > 60)
berkey <- dat.berkey1998; berkey$late <- berkey$year - 1983
V <- matrix(0, nrow(berkey), nrow(berkey))
for (s in unique(berkey$trial)) { w <- which(berkey$trial == s); V[w, w] <- as.matrix(berkey[w, c("v1i", "v2i")]) }
cells <- list()
add <- function(name, d, v, random, struct, mods, test, dfs, level = 95) {
  best <- NULL
  for (tol in 10^-(14:9)) {
    r <- tryCatch(rma.mv(d$yi, v, mods = mods, random = random, struct = struct, data = d, test = test,
      dfs = dfs, level = level, sparse = FALSE, control = list(optimizer = "nlminb", rel.tol = tol,
      eval.max = 5000, iter.max = 5000)), error = function(e) NULL)
    if (!is.null(r)) break
  }
  p <- as.data.frame(predict(r))
  text <- sapply(if (is.list(random)) random else list(random), function(f) sub("^~", "", paste(deparse(f), collapse = "")))
  cells[[length(cells) + 1]] <<- list(data = name, random = trimws(text), struct = struct,
    mods = sub("^~", "", paste(deparse(mods), collapse = "")), test = test, dfs = dfs, level = level / 100,
    df = if (test == "t") as.numeric(r$ddf), beta = as.numeric(r$beta), std_error = r$se,
    p_value = r$pval, conf_low = r$ci.lb, conf_high = r$ci.ub, qm = r$QM, qm_df = as.numeric(r$QMdf), qm_p = r$QMp,
    predictions = p[intersect(names(p), c("pred", "se", "ci.lb", "ci.ub", "pi.lb", "pi.ub", "tau2.level"))])
}
nested <- ~ 1 | district/school; crossed <- list(~ 1 | district/school, ~ 1 | year)
for (mods in c(~ 1, ~ year, ~ half, ~ north, ~ half + north, ~ factor(year))) for (random in list(nested, crossed))
  add("konstantopoulos", kon, kon$vi, random, "CS", mods, "t", "contain")
add("konstantopoulos", kon, kon$vi, ~ school | district, "CS", ~ north, "t", "contain", 90)
add("konstantopoulos", kon, kon$vi, nested, "CS", ~ half, "t", "residual")
add("konstantopoulos", kon, kon$vi, nested, "CS", ~ half, "z", "residual")
for (s in c("UN", "HCS", "DIAG", "CS")) add("berkey", berkey, V, ~ outcome | trial, s, ~ outcome - 1, "t", "contain")
add("berkey", berkey, V, ~ outcome | trial, "HCS", ~ outcome + late, "t", "contain")
add("berkey", berkey, V, ~ outcome | trial, "UN", ~ 1, "t", "contain")
out <- list(versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))),
  data = list(konstantopoulos = kon, berkey = berkey[c("trial", "outcome", "late", "yi", "vi", "v1i", "v2i")]),
  cells = cells)
write_json(out, "containment.json", digits = I(17), auto_unbox = TRUE, null = "null")
