# Reference values for tests/meta/test_structures.py, test_sampling.py and test_location_scale.py:
# rma.mv with structures, vcalc, and location-scale models of rma. Run from this folder:
# Rscript structures.R
suppressMessages({library(metafor); library(jsonlite)})
berkey <- dat.berkey1998
wide <- dat.ishak2007
ishak <- reshape(wide, direction = "long", idvar = "study", v.names = c("yi", "vi"),
                 varying = list(c(2, 4, 6, 8), c(3, 5, 7, 9)))
ishak <- ishak[order(match(ishak$study, wide$study), ishak$time), ]
ishak <- ishak[!is.na(ishak$yi), c("study", "time", "yi", "vi", "mdur", "mbase")]
kon <- dat.konstantopoulos2011[c("district", "school", "year", "yi", "vi")]
assink <- dat.assink2016[c("study", "esid", "yi", "vi", "deltype")]
blocks <- function(d, g) {
  V <- matrix(0, nrow(d), nrow(d))
  for (s in unique(d[[g]])) { w <- which(d[[g]] == s); V[w, w] <- as.matrix(d[w, c("v1i", "v2i")]) }
  V
}
V <- list(berkey = blocks(berkey, "trial"),
          ishak = vcalc(vi, cluster = study, time1 = time, phi = 0.97, data = ishak),
          konstantopoulos = diag(kon$vi),
          assink = vcalc(vi, cluster = study, obs = esid, rho = 0.6, data = assink))
data <- list(berkey = berkey[c("trial", "outcome", "yi", "vi", "v1i", "v2i")], ishak = ishak,
             konstantopoulos = kon, assink = assink)
# the tightest relative tolerance at which nlminb reports convergence
fit <- function(...) {
  best <- NULL
  for (tol in 10^-(14:9)) {
    r <- tryCatch(rma.mv(..., sparse = FALSE, control = list(optimizer = "nlminb", rel.tol = tol,
                  eval.max = 5000, iter.max = 5000)), error = function(e) NULL)
    if (!is.null(r)) return(r)
  }
  stop("no tolerance works")
}
inner <- list(berkey = ~ outcome | trial, ishak = ~ time | study, assink = ~ esid | study)
cells <- list()
add <- function(name, random, struct, mods, method = "REML", test = "z") {
  r <- fit(data[[name]]$yi, V[[name]], mods = mods, random = random, struct = struct,
           data = data[[name]], method = method, test = test)
  text <- sapply(if (is.list(random)) random else list(random),
                 function(f) sub("^~", "", paste(deparse(f), collapse = "")))
  cells[[length(cells) + 1]] <<- list(data = name, random = trimws(text), struct = struct,
    mods = sub("^~", "", paste(deparse(mods), collapse = "")), method = method, test = test,
    beta = as.numeric(r$beta), std_error = r$se, p_value = r$pval, conf_low = r$ci.lb,
    conf_high = r$ci.ub, sigma2 = if (r$withS) r$sigma2, tau2 = if (r$withG) r$tau2,
    rho = if (r$withG) r$rho, loglik = as.numeric(logLik(r)), aic = AIC(r), bic = BIC(r),
    aicc = fitstats(r)[5, 1], q = r$QE, q_p = r$QEp, qm = r$QM, qm_p = r$QMp)
}
for (method in c("REML", "ML")) for (s in c("UN", "CS", "HCS", "DIAG", "ID"))
  add("berkey", ~ outcome | trial, s, ~ outcome - 1, method)
for (s in c("CS", "AR", "HAR", "CAR", "HCS", "DIAG"))
  add("ishak", ~ time | study, s, ~ factor(time) - 1)
add("ishak", ~ time | study, "UN", ~ factor(time) - 1, "ML", "t")
add("konstantopoulos", list(~ 1 | district/school, ~ 1 | year), "CS", ~ 1)
add("konstantopoulos", list(~ 1 | district, ~ 1 | year), "CS", ~ 1, "ML", "t")
add("konstantopoulos", ~ school | district, "CS", ~ 1)
add("assink", ~ 1 | study/esid, "CS", ~ 1)
add("assink", list(~ esid | study, ~ 1 | deltype), "CS", ~ 1)
# sampling covariances
v <- data.frame(study = c(1, 1, 1, 1, 1, 1, 2, 2), type = c("a", "a", "b", "b", "a", "b", "a", "b"),
                obs = c(1, 2, 1, 2, 1, 1, 1, 1), time = c(1, 1, 1, 1, 3, 3, 1, 1),
                vi = c(.04, .09, .05, .07, .03, .02, .06, .08))
g <- data.frame(study = c(1, 1, 1, 1, 2), vi = c(.04, .09, .05, .07, .03),
                group1 = c("A", "B", "B", "C", "A"), group2 = c("P", "P", "A", "P", "P"),
                n1 = c(10, 20, 20, 15, 30), n2 = c(40, 40, 10, 40, 30))
one <- function(call) unname(as.matrix(suppressWarnings(call)))
sampling <- list(v = v, g = g,
  obs = one(vcalc(vi, cluster = study, obs = paste(type, obs, time), rho = .6, data = v)),
  type = one(vcalc(vi, cluster = study, type = type, rho = .4, data = v)),
  both = one(vcalc(vi, cluster = study, type = type, obs = obs, rho = c(.6, .3), data = v)),
  time = one(vcalc(vi, cluster = study, type = type, obs = obs, time1 = time, rho = c(.6, .3),
                   phi = .9, data = v)),
  groups = one(vcalc(vi, cluster = study, grp1 = group1, grp2 = group2, data = g)),
  weighted = one(vcalc(vi, cluster = study, grp1 = group1, grp2 = group2, w1 = n1, w2 = n2,
                       data = g)))
# location-scale models
bd <- dat.bangertdrowns2004[c("yi", "vi", "grade", "meta", "ni")]
bd <- bd[complete.cases(bd), ]
bcg <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
bcg <- data.frame(yi = as.numeric(bcg$yi), vi = as.numeric(bcg$vi), ablat = bcg$ablat,
                  alloc = bcg$alloc)
scale <- list()
tight <- list(optimizer = "nlminb", rel.tol = 1e-14, eval.max = 5000, iter.max = 5000)
for (cell in list(list("bangertdrowns", ~ 1, ~ ni), list("bangertdrowns", ~ meta, ~ meta),
                  list("bangertdrowns", ~ grade + meta, ~ grade + ni), list("bcg", ~ ablat, ~ ablat)))
  for (method in c("REML", "ML")) for (test in c("z", "t")) {
    d <- if (cell[[1]] == "bcg") bcg else bd
    r <- NULL
    for (tol in 10^-(14:8)) {
      tight$rel.tol <- tol
      r <- tryCatch(rma(yi, vi, mods = cell[[2]], scale = cell[[3]], data = d, method = method,
                        test = test, control = tight), error = function(e) NULL)
      if (!is.null(r)) break
    }
    text <- function(f) sub("^~", "", paste(deparse(f), collapse = ""))
    scale[[length(scale) + 1]] <- list(data = cell[[1]], mods = text(cell[[2]]),
      scale = text(cell[[3]]), method = method, test = test, beta = as.numeric(r$beta),
      std_error = r$se, p_value = r$pval, conf_low = r$ci.lb, alpha = as.numeric(r$alpha),
      alpha_std_error = r$se.alpha, alpha_p_value = r$pval.alpha, alpha_conf_low = r$ci.lb.alpha,
      tau2 = r$tau2, loglik = as.numeric(logLik(r)), aic = AIC(r), qm = r$QM, qm_p = r$QMp,
      qs = r$QS, qs_p = r$QSp, q = r$QE)
  }
out <- list(
  certificate = list(script = "structures.R", R = R.version.string,
    metafor = as.character(packageVersion("metafor")),
    inputs = "dat.berkey1998, dat.ishak2007, dat.konstantopoulos2011, dat.assink2016, dat.bangertdrowns2004, dat.bcg of metadat"),
  data = lapply(data, as.list), cells = cells, sampling = sampling,
  scale_data = list(bangertdrowns = as.list(bd), bcg = as.list(bcg)), scale = scale)
write_json(out, "structures.json", digits = I(17), auto_unbox = TRUE, pretty = FALSE, na = "null",
           null = "null", matrix = "rowmajor")
