# Reference values for tests/meta/test_curves_published.py. Run from this folder: Rscript pooled_curves.R
# Summary survival curves by msurv() of the R package metaSurvival 0.1.0 (CRAN; not in Debian), the
# method of Combescure, Foucher and Jackson (2014). The arms are strata of data sets of the package
# survival; curves and numbers at risk come from survfit. In `shorter` some arms drop out: msurv gives
# them a variance of 1e12 where they are missing, so that a trace of them remains in its answer.
# Only Q is kept of its heterogeneity: its I2 counts the studies where the times are estimated.
if (!requireNamespace("metaSurvival", quietly = TRUE)) {
  cat("pooled_curves: kept, the R package metaSurvival is not installed\n"); quit(status = 0)
}
suppressMessages({library(survival); library(jsonlite); library(metaSurvival)})
table_of <- function(d, times) {
  do.call(rbind, lapply(seq_along(levels(d$arm)), function(i) {
    x <- d[d$arm == levels(d$arm)[i], ]
    f <- survfit(Surv(time, event) ~ 1, x)
    # A curve that has reached 0 is known up to the end of the interval in which it did.
    t <- times[times <= max(x$time) | (min(f$surv) == 0 & c(0, times[-length(times)]) < max(x$time))]
    edges <- c(0, t)
    within <- function(v) sapply(seq_along(t), function(j) sum(v[f$time > edges[j] & f$time <= edges[j + 1]]))
    start <- sapply(edges[-length(edges)], function(a) sum(x$time > a))
    # Patients censored within an interval count half, as in a life table.
    data.frame(study = i, time = t, n = start - within(f$n.censor) / 2,
               survival = summary(f, times = t, extend = TRUE)$surv)
  }))
}
cut_arms <- function(time, event, arm) {
  d <- data.frame(time = time, event = event, arm = factor(arm)); d[!is.na(d$arm), ]
}
big <- names(which(table(lung$inst) >= 12))
death <- subset(colon, etype == 2)
sets <- list(
  veteran = list(d = with(veteran, cut_arms(time, status, celltype)), times = c(30, 60, 90, 120)),
  lung = list(d = with(subset(lung, inst %in% big), cut_arms(time, status == 2, inst)), times = c(90, 180, 270, 360, 450, 540)),
  colon = list(d = with(death, cut_arms(time, status, paste(rx, node4))), times = c(365, 730, 1095, 1460, 1825)))
cut_off <- function(s, arms, at) {
  short <- s$d$arm %in% arms & s$d$time > at
  s$d$event[short] <- 0; s$d$time[short] <- at; s
}
sets$shorter <- cut_off(sets$colon, grep("Obs", levels(sets$colon$d$arm), value = TRUE), 1200)
made <- lapply(sets, function(s) {
  m <- table_of(s$d, s$times)
  r <- msurv(m$study, m$time, m$n, m$survival, confidence = "Greenwood")
  list(patients = list(time = s$d$time, event = as.integer(s$d$event), arm = as.character(s$d$arm)),
       times = s$times, k = as.integer(table(m$time)),
       random = list(survival = unname(r$summary.random[, 2]), conf_low = unname(r$summary.random[, 3]),
                     conf_high = unname(r$summary.random[, 4])),
       q = r$heterogeneity[1])
})
out <- list(versions = list(R = R.version.string, metaSurvival = as.character(packageVersion("metaSurvival")),
  survival = as.character(packageVersion("survival"))), sets = made)
write_json(out, "pooled_curves.json", digits = I(17), auto_unbox = TRUE)
