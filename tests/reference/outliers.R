# Reference values for tests/meta/test_outliers.py. Run from this folder: Rscript outliers.R
# t and mixture random effects by metaplus 1.0 (Beath 2016, R Journal 8:5-16), which is not in Debian:
# without it the values are kept. Data of that article: magnesium after infarction (metadat,
# dat.egger2001), choline for cognition (Fioravanti and Yanagi 2005, estimates and limits), exercise
# for depression (Lawlor and Hopker 2001, as Higgins and Thompson 2004 give it); and three drawn sets.
if (!requireNamespace("metaplus", quietly = TRUE)) {
  cat("outliers: kept, the R package metaplus is not installed\n"); quit(status = 0)
}
suppressMessages({library(metaplus); library(metadat); library(jsonlite)})
mag <- metafor::escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.egger2001)
half <- c(.75, .41, .805, .725, .725, .56, .47, .19, .53, .415)
set.seed(11)
drawn <- lapply(c(12, 20, 30), function(k) {
  v <- runif(k, .02, .3)
  list(yi = rnorm(k, .3, sqrt(v + ifelse(runif(k) < .15, 2, .03))), vi = v)
})
sets <- list(
  mag = list(yi = as.numeric(mag$yi), vi = as.numeric(mag$vi)),
  cdp = list(yi = c(.26, .01, 2.22, .58, .34, .33, .14, .15, .5, .13), vi = (half / 1.96)^2),
  exercise = list(yi = c(-2.53, -1.07, -2.1, -1.2, -.82, -.84, -1.16, -.45, .25, -.53),
                  vi = c(.4, .41, .4, .43, .57, .46, .28, .34, .51, .24)^2,
                  duration = c(4, 6, 10, 8, 8, 8, 9, 10, 12, 12)),
  drawn1 = drawn[[1]], drawn2 = drawn[[2]], drawn3 = drawn[[3]])
fit <- function(s, kind, full = FALSE, mods = FALSE) {
  set.seed(3)
  f <- if (mods) metaplus(s$yi, sqrt(s$vi), mods = data.frame(duration = s$duration), random = kind,
                          justfit = !full, cores = 1)
       else metaplus(s$yi, sqrt(s$vi), random = kind, justfit = !full, cores = 1)
  out <- list(parameters = as.list(f$fittedmodel@coef), log_likelihood = -f$fittedmodel@min)
  if (kind == "mixture") out$outlier_probability <- as.numeric(f$outlier.prob)
  if (full) out$interval <- unname(f$results[1, 2:3])
  out
}
made <- list()
for (n in names(sets)) made[[n]] <- list(mixture = fit(sets[[n]], "mixture", n %in% c("mag", "cdp")))
made$exercise$mixture_duration <- fit(sets$exercise, "mixture", TRUE, TRUE)
for (n in c("mag", "drawn1", "drawn2", "drawn3")) made[[n]]$`t-dist` <- fit(sets[[n]], "t-dist")
out <- list(versions = list(R = R.version.string, metaplus = as.character(packageVersion("metaplus"))),
            sets = sets, metaplus = made)
write_json(out, "outliers.json", digits = I(17), auto_unbox = TRUE)
