# Pins effect sizes and variances of escalc for two-group counts and rates, all zero-cell rules.
# Run from tests/reference after data.R; writes metafor_effects.json.
suppressMessages({library(metafor); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))
as_pair <- function(e) list(yi = as.numeric(e$yi), vi = as.numeric(e$vi))
out <- list()
for (set in c("bcg", "sparse")) for (m in c("OR", "RR", "RD", "PETO", "AS")) for (to in c("only0", "all", "none")) {
  d <- get(set)
  e <- suppressWarnings(escalc(m, ai = events_treatment, n1i = n_treatment, ci = events_control,
    n2i = n_control, data = d, to = to, add = if (m == "AS") 0 else 1/2))
  out[[paste(set, m, to)]] <- as_pair(e)
}
d <- get("sparse")
for (m in c("OR", "RR")) out[[paste("sparse", m, "drop00")]] <- as_pair(suppressWarnings(escalc(m,
  ai = events_treatment, n1i = n_treatment, ci = events_control, n2i = n_control, data = d, drop00 = TRUE)))
r <- get("nielweise2008")
r$x1i[2] <- 0
for (m in c("IRR", "IRD", "IRSD")) for (to in c("only0", "all", "none"))
  out[[paste("rates", m, to)]] <- as_pair(suppressWarnings(escalc(m, x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i,
    data = r, to = to, add = if (m == "IRSD") 0 else 1/2)))
for (m in c("IRLN", "IR", "IRS")) for (to in c("only0", "all", "none"))
  out[[paste("rates", m, to)]] <- as_pair(suppressWarnings(escalc(m, xi = x1i, ti = t1i, data = r, to = to,
    add = if (m == "IRS") 0 else 1/2)))
json <- toJSON(list(certificate = list(script = "tests/reference/metafor_effects.R", r = R.version.string,
  metafor = as.character(packageVersion("metafor")),
  inputs = "tests/reference/data/{bcg,sparse,nielweise2008}.csv; first group's count of row 2 of the last set to 0"),
  cells = out), auto_unbox = TRUE, digits = NA, na = "null")
writeLines(json, "metafor_effects.json")
