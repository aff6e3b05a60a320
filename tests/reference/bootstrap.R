# Reference values for tests/meta/test_bootstrap.py. Run from this folder: Rscript bootstrap.R
# Clusters drawn here, rma and rma.mv fitted to each draw (a cluster drawn twice has two labels);
# percentile and BCa limits by the package boot, acceleration from leaving out each cluster.
suppressMessages({library(metafor); library(metadat); library(boot); library(jsonlite)})
set.seed(20)
d <- dat.konstantopoulos2011[, c("district", "school", "year", "yi", "vi")]
d$yi <- as.numeric(d$yi)
clusters <- unique(d$district); m <- length(clusters)
tight <- list(threshold = 1e-14, maxiter = 10000)
make <- function(pick) do.call(rbind, lapply(seq_along(pick), function(j) {
  own <- d[d$district == clusters[pick[j]], ]; own$copy <- j; own }))
plain <- function(s) as.numeric(rma(yi, vi, data = s, method = "REML", control = tight)$beta)
dl <- function(s) as.numeric(rma(yi, vi, data = s, method = "DL")$beta)
slope <- function(s) as.numeric(rma(yi, vi, mods = ~ year, data = s, control = tight)$beta)
nested <- function(s) as.numeric(rma.mv(yi, vi, random = ~ 1 | copy/school, data = s)$beta)
crossed <- function(s) as.numeric(rma.mv(yi, vi, random = list(~ 1 | copy/school, ~ 1 | year), data = s)$beta)
picks <- t(replicate(199, sample.int(m, replace = TRUE)))
some <- picks[1:12, ]
over <- function(f, p) lapply(seq_len(nrow(p)), function(i) f(make(p[i, ])))
drawn <- unlist(over(plain, picks)); estimate <- plain(d)
without <- sapply(seq_len(m), function(j) plain(make(setdiff(seq_len(m), j))))
made <- list(t0 = estimate, t = matrix(drawn), R = length(drawn), data = d, call = NULL, sim = "ordinary")
class(made) <- "boot"
limits <- function(level) {
  b <- boot.ci(made, conf = level, type = c("perc", "bca"), L = mean(without) - without)
  c(b$percent[4:5], b$bca[4:5])
}
out <- list(versions = list(R = R.version.string, metafor = as.character(packageVersion("metafor")),
                            boot = as.character(packageVersion("boot"))),
  data = d, picks = picks - 1, estimate = estimate, without = without, plain = drawn,
  dl = unlist(over(dl, picks)), slope = over(slope, some), nested = unlist(over(nested, some)),
  crossed = unlist(over(crossed, some)), limits = list(`0.95` = limits(.95), `0.8` = limits(.8)))
write_json(out, "bootstrap.json", digits = I(17), auto_unbox = TRUE)
