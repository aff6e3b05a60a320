# Runs the peer IPDfromKM (CRAN, GPL) on the cases that scenarios.py --export writes.
# Rscript peer.R SOURCE_FOLDER cases.csv tables.csv patients.csv    (needs dplyr and survival)
suppressMessages({library(dplyr); library(survival)})
a <- commandArgs(TRUE)
for (f in c("preprocess.R", "getIPD.R")) source(file.path(a[1], "R", f))
clicks <- read.csv(a[2]); tables <- read.csv(a[3])
out <- list()
for (id in unique(clicks$case)) {
  d <- clicks[clicks$case == id, ]; r <- tables[tables$case == id, ]
  got <- try(suppressWarnings({
    p <- preprocess(dat = d[, c("time", "survival")], trisk = r$time, nrisk = r$n_at_risk,
                    totalpts = d$n[1], maxy = 1)
    getIPD(prep = p, armID = 1, tot.events = d$events[1])$IPD
  }), silent = TRUE)
  if (!inherits(got, "try-error"))
    out[[length(out) + 1]] <- data.frame(case = id, time = got$time, event = got$status)
}
write.csv(do.call(rbind, out), a[4], row.names = FALSE)
