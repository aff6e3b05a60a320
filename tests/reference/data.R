# Writes the inputs of the pinned values to data/*.csv. Published sets come from the R package
# metadat; the rest are made here, with fixed seeds, to reach corners published sets do not have.
suppressMessages(library(metafor))
put <- function(x, name) write.csv(x, file.path("data", paste0(name, ".csv")), row.names = FALSE, quote = TRUE)
bcg <- dat.bcg
put(data.frame(study = paste(bcg$author, bcg$year), year = bcg$year,
  events_treatment = bcg$tpos, n_treatment = bcg$tpos + bcg$tneg,
  events_control = bcg$cpos, n_control = bcg$cpos + bcg$cneg,
  ablat = bcg$ablat, alloc = bcg$alloc), "bcg")
put(data.frame(study = paste("P", 1:11), events = c(0, 3, 10, 7, 25, 1, 14, 40, 5, 0, 31),
  n = c(10, 10, 10, 12, 26, 30, 20, 55, 9, 21, 31)), "proportions_edge")
put(data.frame(study = paste("S", 1:10),
  events_treatment = c(0, 1, 0, 2, 0, 5, 0, 3, 1, 0),
  n_treatment = c(25, 40, 33, 61, 18, 120, 44, 80, 20, 15),
  events_control = c(0, 2, 3, 0, 0, 9, 1, 6, 0, 15),
  n_control = c(24, 42, 30, 60, 20, 118, 46, 79, 22, 15)), "sparse")
put(data.frame(study = paste("T", 1:8),
  estimate = c(0.71, 0.55, 0.88, 1.04, 0.42, 0.66, 0.93, 0.36),
  conf_low = c(0.55, 0.36, 0.61, 0.72, 0.23, 0.40, 0.70, 0.20),
  conf_high = c(0.92, 0.84, 1.27, 1.50, 0.77, 1.09, 1.24, 0.65)), "log_hr")
x <- dat.raudenbush1985
put(data.frame(study = paste(x$author, x$year, x$study), weeks = x$weeks, setting = x$setting,
  tester = x$tester, yi = as.numeric(x$yi), vi = as.numeric(x$vi)), "raudenbush1985")
x <- escalc(measure = "MD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i,
  data = dat.normand1999)
put(data.frame(study = x$source, m1i = x$m1i, sd1i = x$sd1i, n1i = x$n1i, m2i = x$m2i, sd2i = x$sd2i,
  n2i = x$n2i, yi = as.numeric(x$yi), vi = as.numeric(x$vi)), "normand1999")
put(data.frame(study = dat.nielweise2008$authors, x1i = dat.nielweise2008$x1i, t1i = dat.nielweise2008$t1i,
  x2i = dat.nielweise2008$x2i, t2i = dat.nielweise2008$t2i), "nielweise2008")
set.seed(20260101)
ks <- c(3, 4, 5, 7, 10, 20, 40, 60)
taus <- c(0, 0.3, 0.1, 0.5, 0.2, 0, 0.4, 0.15)
for (j in seq_along(ks)) {
  k <- ks[j]
  vi <- round(0.25 * rchisq(k, 3) / 3 + 0.005, 6)
  yi <- round(rnorm(k, -0.3, sqrt(vi + taus[j]^2)), 6)
  put(data.frame(study = paste("sim", 1:k), yi = yi, vi = vi, x = round(rnorm(k), 4),
    g = rep(c("a", "b", "c"), length.out = k)), sprintf("sim_k%02d", k))
}

# Published analyses redone in tests/meta/test_published.py.
x <- dat.collins1985b
put(data.frame(study = x$author, events_treatment = x$pre.xti, n_treatment = x$pre.nti,
  events_control = x$pre.xci, n_control = x$pre.nci), "collins1985b")
x <- dat.hine1989
put(data.frame(study = x$source, events_treatment = x$ai, n_treatment = x$n1i, events_control = x$ci,
  n_control = x$n2i), "hine1989")
x <- dat.lehmann2018
put(data.frame(study = x$Short_Title, rater = x$Gender, yi = as.numeric(x$yi), vi = as.numeric(x$vi)), "lehmann2018")
put(data.frame(study = dat.nielweise2007$author, events_treatment = dat.nielweise2007$ai,
  n_treatment = dat.nielweise2007$n1i, events_control = dat.nielweise2007$ci,
  n_control = dat.nielweise2007$n2i), "nielweise2007")

# Five-number summaries of simulated outcomes, rounded as papers print them: normal, log-normal,
# gamma, Weibull, beta; range, quartiles or both.
set.seed(20260401)
draw <- list(function(n) rnorm(n, 20, 4), function(n) rlnorm(n, 1.5, .6), function(n) rgamma(n, 2, .3),
             function(n) rweibull(n, 1.4, 9), function(n) rbeta(n, 3, 6))
rows <- list()
for (i in seq_along(draw)) for (kind in c("range", "quartiles", "five")) {
  n <- c(25, 60, 180)[match(kind, c("range", "quartiles", "five"))]
  q <- round(as.numeric(quantile(draw[[i]](n))), if (i == 5) 3 else 2)
  rows[[length(rows) + 1]] <- data.frame(study = sprintf("%d %s", i, kind), n = n,
    minimum = if (kind == "quartiles") NA else q[1], q1 = if (kind == "range") NA else q[2], median = q[3],
    q3 = if (kind == "range") NA else q[4], maximum = if (kind == "quartiles") NA else q[5])
}
put(do.call(rbind, rows), "five_numbers")
