# Times and values of R's functions for benchmarks/breadth.py: JSON on standard output. Rows of meta
# and metasens only where those are installed. Each time is the least of several, without start-up.
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
rows <- list()
add <- function(key, value, repeats = 3) {
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
versions <- c(metafor = as.character(packageVersion("metafor")), R = paste(R.version$major, R.version$minor, sep = "."))
for (p in c("meta", "metasens")) if (requireNamespace(p, quietly = TRUE)) versions[p] <- as.character(packageVersion(p))
cat(toJSON(list(versions = as.list(versions), rows = rows), auto_unbox = TRUE, digits = I(17)))
