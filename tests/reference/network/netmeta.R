# Values of netmeta for tests/network/test_netmeta.py. Run from this folder: Rscript netmeta.R
# The networks are those of networks.json. netmeta gets every pair of a study's arms, with effects
# and standard errors from the arms as networks.R makes them, and for random effects the root of the
# restricted likelihood found there (tau.preset), so that what is compared is netmeta's own matrix
# algebra. What it estimates for tau2 by itself is kept apart.
suppressMessages({library(netmeta); library(jsonlite)})
settings.meta(warn = FALSE)
cells <- fromJSON("networks.json", simplifyVector = TRUE, simplifyDataFrame = TRUE)$cells

arm_values <- function(d, measure) {
  if (measure == "md") return(list(y = d$mean, v = d$sd^2 / d$n))
  fix <- 0.5 * tapply(d$events == 0 | d$events == d$n, d$study, any)[d$study]
  x <- d$events + fix; n <- d$n + 2 * fix
  switch(measure,
    or = list(y = log(x / (n - x)), v = 1 / x + 1 / (n - x)),
    rr = list(y = log(x / n), v = 1 / x - 1 / n),
    rd = list(y = x / n, v = x / n * (1 - x / n) / n))
}
pairs_of <- function(d, measure) {
  if (measure == "generic")
    return(data.frame(TE = d$yi, seTE = d$std_error, treat1 = d$treat1, treat2 = d$treat2,
                      study = d$study))
  s <- arm_values(d, measure)
  do.call(rbind, lapply(split(seq_len(nrow(d)), factor(d$study, unique(d$study))), function(at) {
    p <- combn(at, 2); a <- p[1, ]; b <- p[2, ]
    data.frame(TE = s$y[a] - s$y[b], seTE = sqrt(s$v[a] + s$v[b]), treat1 = d$treatment[a],
               treat2 = d$treatment[b], study = d$study[at[1]])
  }))
}
run <- function(p, ...) netmeta(TE, seTE, treat1, treat2, study, data = p, sm = "MD",
                                tol.multiarm = 0.2, tol.multiarm.se = 0.5, ...)
against_first <- function(te, se, names)
  list(d = unname(te[names[-1], names[1]]), se = unname(se[names[-1], names[1]]))
one <- function(name) {
  message(name, " ", format(Sys.time(), "%H:%M:%S"))
  cell <- cells[[name]]; names <- cell$treatments
  p <- pairs_of(cell$data, cell$measure)
  p$study <- as.character(p$study)
  # Its REML does not converge everywhere (Baker 2009): NULL, which the tests know.
  own <- lapply(c(DL = "DL", REML = "REML"), function(m) tryCatch(run(p, method.tau = m),
                                                                  error = function(e) NULL))
  n <- run(p, tau.preset = sqrt(cell$fits$REML$tau2))
  q <- decomp.design(n)$Q.decomp
  s <- netsplit(n)
  split <- function(key) strsplit(key, ":", fixed = TRUE)
  both <- which(!is.na(s$compare.random$z))
  out <- list(
    q = n$Q, q_df = n$df.Q, q_within = q["Within designs", "Q"],
    q_between = q["Between designs", "Q"], tau2 = lapply(own, function(x) x$tau2),
    common = against_first(n$TE.common, n$seTE.common, names),
    dl = against_first(own$DL$TE.random, own$DL$seTE.random, names),
    reml = against_first(n$TE.random, n$seTE.random, names),
    p_scores = as.list(netrank(n, small.values = "desirable")$ranking.random[names]),
    splits = lapply(both, function(i) list(pair = split(s$comparison[i])[[1]],
      direct = s$direct.random$TE[i], indirect = s$indirect.random$TE[i],
      z = s$compare.random$z[i], p = s$compare.random$p[i])))
  if (length(names) <= 6 || name == "senn2013") {
    w <- netcontrib(n, method = "randomwalk", common = FALSE, random = TRUE)$random
    out$contributions <- list(rows = rownames(w), columns = colnames(w), share = unname(w))
  }
  out
}
# They take netmeta a minute each. Not among them: standardised means
# (pairs of a study share a pooled deviation) and the largest networks, which take it much longer.
chosen <- c("senn2013", "dong2013", "franchini2012", "gurusamy2011", "hasselblad1998",
            "hasselblad1998_rr", "pagliaro1992", "stowe2010", "woods2010")
found <- lapply(setNames(chosen, chosen), one)
certificate <- list(script = "netmeta.R", call = "Rscript netmeta.R", R = R.version.string,
  packages = lapply(list(netmeta = "netmeta", meta = "meta"), function(p)
    as.character(packageVersion(p))), inputs = "networks.json")
write(toJSON(list(certificate = certificate, cells = found), digits = I(14), auto_unbox = TRUE,
             null = "null", na = "null"), "netmeta.json")
