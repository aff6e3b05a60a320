# Reference values for tests/meta/test_one_table.py: fisher.test of base R.
# Run from this folder: Rscript one_table.R
suppressMessages(library(jsonlite))
tables <- list(c(3, 20, 9, 22), c(7, 15, 12, 15), c(0, 25, 4, 30), c(12, 12, 3, 10),
               c(40, 123, 61, 139), c(1, 200, 1, 210))
cells <- lapply(tables, function(t) {
  f <- fisher.test(matrix(c(t[1], t[2] - t[1], t[3], t[4] - t[3]), 2))
  list(table = t, estimate = f$estimate[[1]], conf_low = f$conf.int[1], conf_high = f$conf.int[2])
})
out <- list(certificate = list(script = "one_table.R", R = R.version.string, call = "fisher.test()"),
            cells = cells)
write_json(out, "one_table.json", digits = I(17), auto_unbox = TRUE, pretty = TRUE, na = "string")
