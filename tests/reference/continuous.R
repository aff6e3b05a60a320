# Reference values for tests/effects/test_continuous.py and test_quantiles.py: escalc's measures of
# means and correlations; means and standard deviations from five numbers by conv.fivenum of metafor
# (4.0 or later) and by the quantile estimation of estmeansd, which Debian does not have: without
# them the last pinned values are kept. Run from this folder: Rscript continuous.R
suppressMessages({library(metafor); library(jsonlite)})
d <- read.csv("data/normand1999.csv")
arms <- with(d, list(m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i))
pick <- function(measure, variance, args, ...) {
  e <- do.call(escalc, c(list(measure = measure, ...), args))
  list(measure = measure, variance = variance, yi = as.numeric(e$yi), vi = as.numeric(e$vi))
}
# Bonett's variances take the corrected effect in later versions, as Hedges' does
unequal <- if (packageVersion("metafor") >= "5.0")
  list(pick("SMDH", "large-sample", arms), pick("SMD1H", "heteroscedastic", arms))
# the ratio without the later correction of its bias (metafor 4.0 on)
plain <- if (packageVersion("metafor") >= "4.0") list(correct = FALSE) else list()
two <- list(
  pick("MD", "large-sample", arms), pick("MD", "pooled", arms, vtype = "HO"),
  pick("SMD", "large-sample", arms), pick("SMD", "unbiased", arms, vtype = "UB"),
  pick("SMD1", "large-sample", arms),
  pick("ROM", "large-sample", c(arms, plain)), pick("ROM", "pooled", c(arms, plain), vtype = "HO"))
r <- c(.2, .5, .68, .8, .35, .6, .45, .7, .55)
paired <- with(d, list(m1i = m1i, m2i = m2i, sd1i = sd1i, sd2i = sd2i, ni = n1i, ri = r))
# "SMCR" standardises by the standard deviation of the first argument, which is our "before"
turned <- with(d, list(m1i = -m2i, m2i = -m1i, sd1i = sd2i, ni = n1i, ri = r))
change <- list(pick("MC", "", paired), pick("SMCC", "", paired), pick("SMCR", "", turned),
               pick("ROMC", "", c(paired, plain)))
one <- list(pick("MN", "raw", with(d, list(mi = m1i, sdi = sd1i, ni = n1i))),
            pick("MNLN", "log", with(d, list(mi = m1i, sdi = sd1i, ni = n1i))),
            pick("ZCOR", "fisher-z", list(ri = r, ni = d$n1i)),
            pick("COR", "raw", list(ri = r, ni = d$n1i)))
fit <- rma(do.call(escalc, c(list(measure = "MD", vtype = "HO"), arms)), method = "DL")
normand <- list(estimate = as.numeric(fit$beta), std_error = fit$se, tau2 = fit$tau2)
five <- read.csv("data/five_numbers.csv")
versions <- list(metafor = as.character(packageVersion("metafor")))
before <- if (file.exists("continuous.json")) read_json("continuous.json", simplifyVector = TRUE)
quantiles <- before$quantiles
if (is.null(unequal)) unequal <- read_json("continuous.json")$unequal
versions$quantiles <- before$certificate$versions$quantiles
if (packageVersion("metafor") >= "4.0" && requireNamespace("estmeansd", quietly = TRUE)) {
  f <- conv.fivenum(min = minimum, q1 = q1, median = median, q3 = q3, max = maximum, n = n,
                    data = five, test = FALSE)
  w <- conv.fivenum(min = minimum, q1 = q1, median = median, q3 = q3, max = maximum, n = n,
                    data = five)
  q <- lapply(seq_len(nrow(five)), function(i) {
    x <- five[i, ]
    a <- c(if (!is.na(x$minimum)) list(min.val = x$minimum, max.val = x$maximum),
           if (!is.na(x$q1)) list(q1.val = x$q1, q3.val = x$q3),
           list(med.val = x$median, n = x$n))
    z <- suppressWarnings(do.call(estmeansd::qe.mean.sd, a))
    c(list(mean = z$est.mean, sd = z$est.sd, distribution = z$selected.dist), as.list(z$values))
  })
  quantiles <- list(mean = f$mean, sd = f$sd, skewed = is.na(w$mean), estimation = q)
  versions$quantiles <- sprintf("metafor %s, estmeansd %s", packageVersion("metafor"),
                                packageVersion("estmeansd"))
}
out <- list(certificate = list(script = "continuous.R", R = R.version.string, versions = versions,
              inputs = "data/normand1999.csv, five_numbers.csv"),
            correlation = r, two = two, unequal = unequal, change = change, one = one, normand = normand,
            quantiles = quantiles)
write_json(out, "continuous.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null")
