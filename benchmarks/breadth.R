# Times and values of R's functions for benchmarks/breadth.py: JSON on standard output. Rows of meta
# and metasens only where those are installed. Each time is the least of several, without start-up.
# Words after the script are the rows wanted; without them all.
suppressMessages({library(metafor); library(jsonlite)})
read <- function(name) read.csv(file.path("tests", "reference", "data", paste0(name, ".csv")))
d <- read("normand1999"); bcg <- read("bcg"); five <- read("five_numbers")
tables <- list(ai = bcg$events_treatment, n1i = bcg$n_treatment, ci = bcg$events_control, n2i = bcg$n_control)
e <- do.call(escalc, c(list(measure = "OR"), tables)); y <- as.numeric(e$yi); v <- as.numeric(e$vi)
arms <- with(d, list(m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i))
r <- c(.2, .5, .68, .8, .35, .6, .45, .7, .55)
tight <- list(threshold = 1e-10, maxiter = 1000)
dl <- rma(y, v, method = "DL"); ml <- rma(y, v, method = "ML", control = tight)
reml <- rma(y, v, method = "REML", control = tight); lat <- bcg$ablat
mods <- rma(y, v, mods = ~ lat, method = "REML", control = tight)
sm <- with(dat.hackshaw1998, rma(yi, vi, method = "ML", control = tight))
rows <- list(); wanted <- commandArgs(TRUE)
add <- function(key, value, repeats = 3) {
  if (length(wanted) && !key %in% wanted) return(invisible())
  # a function that stops here leaves its row empty, not the table
  tryCatch(measure(key, value, repeats), error = function(e) message(key, ": ", conditionMessage(e)))
}
measure <- function(key, value, repeats) {
  if (repeats == 1) {  # slow ones once
    s <- system.time(x <- value())
    rows[[key]] <<- list(seconds = s[["user.self"]] + s[["sys.self"]], value = as.numeric(unlist(x)))
    return(invisible())
  }
  value()
  n <- 1
  block <- function() { s <- system.time(for (i in seq_len(n)) value(), gcFirst = FALSE)
    s[["user.self"]] + s[["sys.self"]] }
  while (block() < .03) n <- 2 * n
  times <- replicate(repeats, block()) / n
  rows[[key]] <<- list(seconds = min(times), value = as.numeric(unlist(value())))
}
quiet <- function(x) suppressWarnings(suppressMessages(x))
for (m in c("MD", "SMD", "SMD1", "ROM")) local({ k <- m
  more <- if (k == "ROM" && packageVersion("metafor") >= "4.0") list(correct = FALSE)
  add(k, function() { f <- quiet(do.call(escalc, c(list(measure = k), arms, more))); c(f$yi, f$vi) }) })
add("SMCR", function() { f <- with(d, escalc("SMCR", m1i = -m2i, m2i = -m1i, sd1i = sd2i, ni = n1i, ri = r)); c(f$yi, f$vi) })
add("ZCOR", function() { f <- escalc("ZCOR", ri = r, ni = d$n1i); c(f$yi, f$vi) })
add("MNLN", function() { f <- with(d, escalc("MNLN", mi = m1i, sdi = sd1i, ni = n1i)); c(f$yi, f$vi) })
if (exists("conv.fivenum")) add("fivenum", function() { f <- conv.fivenum(min = minimum, q1 = q1,
  median = median, q3 = q3, max = maximum, n = n, data = five, test = FALSE); c(f$mean, f$sd) })
add("PMM", function() rma(y, v, method = "PMM", control = list(tol = 1e-12))$tau2)
add("hc", function() { h <- hc(dl, control = list(tol = 1e-10)); c(h$beta, h$ci.lb, h$ci.ub) })
add("fsn", function() fsn(y, v)$fsnum)
add("tes", function() tes(y, v, theta = as.numeric(reml$beta), tau2 = reml$tau2, test = "chi2")$E)
add("blup", function() blup(reml)$pred)
add("fitstats", function() as.numeric(fitstats(ml)[, "ML"])[c(1, 3, 4, 5)])
add("anova", function() { a <- anova(mods, X = rbind(c(1, 30), c(0, 10))); c(a$Xb, a$se) })
add("confint", function() as.numeric(confint(reml, control = list(tol = 1e-10))$random[1, 2:3]))
add("stepfun", function() { f <- quiet(selmodel(sm, type = "stepfun", steps = c(.025, .5, 1), alternative = "greater")); c(f$beta) }, 1)
add("halfnorm", function() { f <- quiet(selmodel(sm, type = "halfnorm", alternative = "greater")); c(f$beta) }, 1)
add("PLO", function() quiet(rma.glmm(measure = "PLO", xi = bcg$events_treatment, ni = bcg$n_treatment, mods = ~ lat))$beta, 1)
if (requireNamespace("metasens", quietly = TRUE)) {
  suppressMessages(library(metasens))
  m <- metagen(y, sqrt(v), method.tau = "REML", control = tight)
  add("KR", function() { f <- metagen(y, sqrt(v), method.tau = "REML", method.random.ci = "KR",
    method.predict = "KR-PR", control = tight); c(f$lower.random, f$upper.random, f$lower.predict, f$upper.predict) })
  add("limitmeta", function() { f <- limitmeta(m); c(f$TE.adjust, f$seTE.adjust, f$G.squared) })
  add("lfkindex", function() lfkindex(m)$lfkindex)
  add("Thompson", function() metabias(m, method.bias = "Thompson")$pval)
}
# weights of one's own, sequences, count models, selection
w <- seq_along(y)
add("weights", function() { f <- rma(y, v, weights = w, control = tight); c(f$beta, f$se, f$ci.lb, f$ci.ub) })
add("cumul", function() { f <- cumul(reml); c(f$estimate, f$ci.lb, f$ci.ub) })
add("leave1out", function() { f <- leave1out(reml); c(f$estimate, f$ci.lb, f$ci.ub) })
counts <- read("nielweise2007"); pairs <- read("nielweise2008")
glmm <- function(...) quiet(rma.glmm(measure = "OR", ai = counts$events_treatment, n1i = counts$n_treatment,
  ci = counts$events_control, n2i = counts$n_control, ...))
both <- function(f) c(f$beta, f$tau2)
add("UM.FS", function() both(glmm(model = "UM.FS")), 1)
add("UM.RS", function() both(glmm(model = "UM.RS")), 1)
if (requireNamespace("BiasedUrn", quietly = TRUE)) add("CM.EL", function() both(glmm(model = "CM.EL")), 1)
add("CM.AL", function() both(glmm(model = "CM.AL", nAGQ = 25)), 1)
add("IRR", function() both(with(pairs, quiet(rma.glmm(measure = "IRR", x1i = x1i, t1i = t1i, x2i = x2i,
  t2i = t2i, model = "CM.EL", nAGQ = 25)))), 1)
add("selbeta", function() c(quiet(selmodel(sm, type = "beta", alternative = "greater"))$beta), 1)
# structures
S <- fromJSON(file.path("tests", "reference", "structures.json")); frames <- lapply(S$data, as.data.frame)
berkey <- frames$berkey; ishak <- frames$ishak; kon <- frames$konstantopoulos; assink <- frames$assink
bd <- as.data.frame(S$scale_data$bangertdrowns)
Vb <- matrix(0, nrow(berkey), nrow(berkey))
for (s in unique(berkey$trial)) { at <- which(berkey$trial == s); Vb[at, at] <- as.matrix(berkey[at, c("v1i", "v2i")]) }
add("vcalc", function() as.matrix(vcalc(vi, cluster = study, obs = esid, rho = .6, data = assink)))
Va <- vcalc(vi, cluster = study, obs = esid, rho = .6, data = assink)
Vi <- vcalc(vi, cluster = study, time1 = time, phi = .97, data = ishak)
mv <- function(fit, see = function(f) c(f$beta)) see(quiet(fit))
add("nested", function() mv(rma.mv(yi, vi, random = ~ 1 | district/school, data = kon)))
add("crossed", function() mv(rma.mv(yi, vi, random = list(~ 1 | district/school, ~ 1 | year), data = kon)))
add("correlated", function() mv(rma.mv(yi, Va, random = ~ 1 | study/esid, data = assink)))
for (s in c("CS", "HCS", "UN", "DIAG")) local({ k <- s
  add(paste("struct", k), function() mv(rma.mv(yi, Vb, mods = ~ outcome - 1, random = ~ outcome | trial, struct = k, data = berkey))) })
for (s in c("AR", "HAR", "CAR")) local({ k <- s
  add(paste("struct", k), function() mv(rma.mv(yi, Vi, mods = ~ factor(time) - 1, random = ~ time | study, struct = k, data = ishak))) })
add("contain", function() mv(rma.mv(yi, vi, random = ~ 1 | district/school, data = kon, test = "t", dfs = "contain"),
  see = function(f) { p <- predict(f); c(f$ddf, p$ci.lb, p$ci.ub, p$pi.lb, p$pi.ub) }))
add("scale", function() c(quiet(rma(yi, vi, mods = ~ meta, scale = ~ meta, data = bd))$beta))
# clusters drawn once and fitted by both
B <- fromJSON(file.path("tests", "reference", "bootstrap.json")); districts <- unique(B$data$district)
add("boot", function() apply(B$picks, 1, function(p) {
  own <- do.call(rbind, lapply(districts[p + 1], function(x) B$data[B$data$district == x, ]))
  rma(own$yi, own$vi, control = list(threshold = 1e-12, maxiter = 1000))$beta }), 1)
if (requireNamespace("metaplus", quietly = TRUE)) {
  suppressMessages(library(metaplus)); O <- fromJSON(file.path("tests", "reference", "outliers.json"))$sets
  add("t-dist", function() metaplus(O$drawn1$yi, sqrt(O$drawn1$vi), random = "t-dist", justfit = TRUE, cores = 1)$fittedmodel@coef["muhat"], 1)
  add("mixture", function() metaplus(O$cdp$yi, sqrt(O$cdp$vi), random = "mixture", justfit = TRUE, cores = 1)$fittedmodel@coef["muhat"], 1)
}
if (requireNamespace("metasens", quietly = TRUE)) {
  P <- fromJSON(file.path("tests", "reference", "bias_more.json"))$peers$bcg; s <- sqrt(P$vi)
  # one search from one start; the path of copas() is 400 such
  add("copas", function() { z <- qnorm(c(.99, .5)); g1 <- (z[1] - z[2]) / (1 / min(s) - 1 / max(s)); g <- c(z[2] - g1 / max(s), g1)
    optim(c(mean(P$yi), -.5, .5), metasens:::copas.loglik.without.beta, gr = metasens:::copas.gradient.without.beta,
      lower = c(-Inf, -.9999, 0), upper = c(Inf, .9999, Inf), gamma = g, TE = P$yi, seTE = s,
      method = "L-BFGS-B", control = list(factr = 10, pgtol = 0, maxit = 2000))$par[1] })
  add("rm5", function() { f <- quiet(read.rm5(file.path("tests", "io", "reviews", "fleiss1993.rm5")))
    i <- which(f$comp.no == 1 & f$outcome.no == 1); i <- i[order(f$studlab[i])]; c(f$event.e[i], f$n.e[i], f$event.c[i], f$n.c[i]) })
}
versions <- c(metafor = as.character(packageVersion("metafor")), R = paste(R.version$major, R.version$minor, sep = "."))
for (p in c("meta", "metasens", "metaplus")) if (requireNamespace(p, quietly = TRUE)) versions[p] <- as.character(packageVersion(p))
cat(toJSON(list(versions = as.list(versions), rows = rows), auto_unbox = TRUE, digits = I(17)))
