# Reference values for tests/meta/test_prediction.py: the interval and the prediction interval of
# Kenward and Roger by meta, prediction intervals of Sidik and Jonkman by pimeta, Nagashima's by
# pimeta with 50,000 draws (two small sets); Debian has neither package: without them the pinned values are kept.
# PMM is metafor's. Run from this folder: Rscript prediction.R
suppressMessages({library(metafor); library(jsonlite)})
sets <- c("bcg", "raudenbush1985", "normand1999", "sim_k03", "sim_k07")
read <- function(name) {
  d <- read.csv(sprintf("data/%s.csv", name))
  if (name == "bcg") d <- escalc("RR", ai = events_treatment, n1i = n_treatment,
                                 ci = events_control, n2i = n_control, data = d)
  list(y = as.numeric(d$yi), v = as.numeric(d$vi))
}
before <- if (file.exists("prediction.json")) read_json("prediction.json", simplifyVector = FALSE)
with_peers <- all(sapply(c("meta", "pimeta"), requireNamespace, quietly = TRUE))
versions <- if (with_peers) lapply(c(meta = "meta", pimeta = "pimeta"), function(p)
  as.character(packageVersion(p))) else before$certificate$peers
cells <- list()
for (name in sets) {
  d <- read(name)
  pmm <- rma(d$y, d$v, method = "PMM", control = list(tol = 1e-14, maxiter = 1000))$tau2
  cell <- before$cells[[name]]
  if (with_peers) {
    tau2 <- rma(d$y, d$v, method = "REML", control = list(threshold = 1e-11, maxiter = 1000))$tau2
    m <- meta::metagen(d$y, sqrt(d$v), method.tau = "REML", method.random.ci = "KR",
                       method.predict = "KR-PR", control = list(threshold = 1e-11, maxiter = 1000))
    set.seed(1)
    b <- if (length(d$y) < 8) pimeta::pima(d$y, sqrt(d$v), method = "boot", B = 50000, seed = 1)
    s <- pimeta::pima(d$y, sqrt(d$v), method = "SJ")
    cell <- list(yi = d$y, vi = d$v, tau2 = tau2,
      kr = c(m$seTE.random, m$df.random, m$lower.random, m$upper.random),
      kr_predict = if (!is.na(m$lower.predict)) c(m$lower.predict, m$upper.predict),
      sj = list(tau2 = s$tau2h, predict = c(s$lpi, s$upi)), boot = if (!is.null(b)) c(b$lpi, b$upi))
  }
  cell$pmm <- pmm
  cells[[name]] <- cell
}
out <- list(certificate = list(script = "prediction.R", R = R.version.string, peers = versions,
              metafor = as.character(packageVersion("metafor")),
              inputs = paste0("data/", sets, ".csv", collapse = ", ")), cells = cells)
write_json(out, "prediction.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "null")
