# Reference values for tests/network/test_pinned.py. Run from this folder: Rscript networks.R
# Twelve public networks (package metadat). A study's contrasts with its first arm and their full
# covariance go into metafor::rma.mv with a between-study correlation of 1/2 (random = ~ contrast |
# study, rho = 1/2), its optimiser as tight as it goes. DL and Paule-Mandel, which rma.mv does not
# have, are written out with dense matrices. Direct estimates, node splits, the interaction model,
# hat matrix and P-scores are computed from their definitions with dense matrices as well.
suppressMessages({library(metafor); library(metadat); library(jsonlite)})
options(warn = 1)

wide <- function(d, study, fields, arms = 3) {
  parts <- lapply(seq_len(arms), function(a) {
    out <- data.frame(study = as.character(d[[study]]))
    for (f in names(fields)) out[[f]] <- d[[sprintf(fields[[f]], a)]]
    out
  })
  out <- do.call(rbind, parts)
  out <- out[!is.na(out$treatment) & out$treatment != "", ]
  out[complete.cases(out), ]
}
counts <- function(d, study, treatment, events, n) data.frame(
  study = as.character(d[[study]]), treatment = as.character(d[[treatment]]),
  events = d[[events]], n = d[[n]])
means <- function(d, study, treatment, mean, sd, n) data.frame(
  study = as.character(d[[study]]), treatment = as.character(d[[treatment]]),
  mean = d[[mean]], sd = d[[sd]], n = d[[n]])
more_than_one_arm <- function(d) d[d$study %in% names(which(table(d$study) > 1)), ]

linde <- wide(dat.linde2015, "id", c(treatment = "treatment%d", events = "resp%d", n = "n%d"))
remission <- wide(dat.linde2015, "id", c(treatment = "treatment%d", events = "remi%d", n = "n%d"))
franchini <- wide(dat.franchini2012, "Study",
                  c(treatment = "Treatment%d", mean = "y%d", sd = "sd%d", n = "n%d"))
stowe <- wide(dat.stowe2010, "id", c(treatment = "t%d", mean = "y%d", sd = "sd%d", n = "n%d"))
data <- list(
  senn2013 = list(means(dat.senn2013, "study", "treatment", "mi", "sdi", "ni"), "md"),
  senn2013_smd = list(means(dat.senn2013, "study", "treatment", "mi", "sdi", "ni"), "smd"),
  dong2013 = list(counts(dat.dong2013, "id", "treatment", "death", "randomized"), "or"),
  franchini2012 = list(franchini, "md"),
  gurusamy2011 = list(counts(dat.gurusamy2011, "study", "treatment", "death", "n"), "or"),
  hasselblad1998 = list(counts(dat.hasselblad1998, "study", "trt", "xi", "ni"), "or"),
  hasselblad1998_rr = list(counts(dat.hasselblad1998, "study", "trt", "xi", "ni"), "rr"),
  hasselblad1998_rd = list(counts(dat.hasselblad1998, "study", "trt", "xi", "ni"), "rd"),
  linde2015 = list(more_than_one_arm(linde), "or"),
  linde2015_remission = list(more_than_one_arm(remission), "or"),
  pagliaro1992 = list(counts(dat.pagliaro1992, "study", "trt", "xi", "ni"), "or"),
  stowe2010 = list(stowe, "md"),
  woods2010 = list(counts(dat.woods2010, "author", "treatment", "r", "N"), "or"),
  baker2009 = list(counts(dat.baker2009, "study", "treatment", "exac", "total"), "or"),
  dogliotti2014 = list(counts(dat.dogliotti2014, "study", "treatment", "stroke", "total"), "or"),
  linde2016 = list(with(dat.linde2016, data.frame(
    study = as.character(id), treat1 = as.character(treat1), treat2 = as.character(treat2),
    yi = lnOR, std_error = selnOR)), "generic"))

arm_summary <- function(d, measure) {
  if (measure %in% c("or", "rr", "rd")) {
    zero <- tapply(d$events == 0 | d$events == d$n, d$study, any)
    fix <- zero[d$study]
    x <- d$events + 0.5 * fix; n <- d$n + fix
    if (measure == "or") return(data.frame(y = log(x / (n - x)), v = 1 / x + 1 / (n - x)))
    if (measure == "rr") return(data.frame(y = log(x / n), v = 1 / x - 1 / n))
    return(data.frame(y = x / n, v = x / n * (1 - x / n) / n))
  }
  data.frame(y = d$mean, v = d$sd^2 / d$n)
}
of_arms <- function(d, measure) {
  s <- if (measure == "smd") NULL else arm_summary(d, measure)
  lapply(split(seq_len(nrow(d)), factor(d$study, unique(d$study))), function(at) {
    r <- length(at) - 1
    if (measure == "smd") {
      n <- d$n[at]; df <- sum(n - 1)
      sd <- sqrt(sum((n - 1) * d$sd[at]^2) / df)
      J <- exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / sqrt(df / 2)
      y <- J * (d$mean[at][-1] - d$mean[at][1]) / sd
      V <- diag(1 / n[-1], r) + 1 / n[1] + outer(y, y) / (2 * sum(n))
    } else {
      y <- s$y[at][-1] - s$y[at][1]
      V <- diag(s$v[at][-1], r) + s$v[at][1]
    }
    list(study = d$study[at[1]], arms = d$treatment[at], y = y, V = V)
  })
}
of_contrasts <- function(d) lapply(split(d, factor(d$study, unique(d$study))), function(e) {
  arms <- unique(c(e$treat1, e$treat2))
  get <- function(a, b, what) {
    hit <- which(e$treat1 == a & e$treat2 == b); sign <- 1
    if (!length(hit)) { hit <- which(e$treat1 == b & e$treat2 == a); sign <- -1 }
    if (what == "y") sign * e$yi[hit] else e$std_error[hit]^2
  }
  k <- length(arms)
  # Printed effects of a multi-arm study miss closing by rounding: least squares over all pairs.
  B <- matrix(0, nrow(e), k, dimnames = list(NULL, arms))
  B[cbind(seq_len(nrow(e)), match(e$treat1, arms))] <- 1
  B[cbind(seq_len(nrow(e)), match(e$treat2, arms))] <- -1
  m <- c(0, qr.solve(B[, -1, drop = FALSE], e$yi))
  V <- matrix(0, k - 1, k - 1)
  for (i in 2:k) for (j in 2:k) V[i - 1, j - 1] <- if (i == j) get(arms[i], arms[1], "v") else
    (get(arms[i], arms[1], "v") + get(arms[j], arms[1], "v") - get(arms[i], arms[j], "v")) / 2
  list(study = e$study[1], arms = arms, y = m[-1], V = V)
})

stacked <- function(blocks, names) {
  y <- unlist(lapply(blocks, `[[`, "y"))
  V <- as.matrix(bldiag(lapply(blocks, `[[`, "V")))
  H <- as.matrix(bldiag(lapply(blocks, function(b) (diag(length(b$y)) + 1) / 2)))
  study <- rep(seq_along(blocks), sapply(blocks, function(b) length(b$y)))
  X <- do.call(rbind, lapply(blocks, function(b) {
    out <- matrix(0, length(b$y), length(names), dimnames = list(NULL, names))
    for (i in seq_along(b$y)) { out[i, b$arms[i + 1]] <- 1; out[i, b$arms[1]] <- -1 }
    out
  }))
  list(y = y, V = V, H = H, study = study, X = X, row = unlist(lapply(table(study), seq_len)))
}
gls <- function(s, X, tau2) {
  W <- solve(s$V + tau2 * s$H)
  C <- solve(t(X) %*% W %*% X)
  b <- drop(C %*% t(X) %*% W %*% s$y)
  r <- s$y - drop(X %*% b)
  list(b = b, C = C, Q = drop(t(r) %*% W %*% r), W = W)
}
mv <- function(s, X, method) {
  d <- data.frame(y = s$y, study = s$study, row = s$row)
  # The tightest stop rule at which nlminb still reports convergence.
  for (tol in 10^-(12:6)) {
    out <- try(rma.mv(y, s$V, mods = X, intercept = FALSE, random = ~ row | study, rho = 0.5,
                      struct = "CS", data = d, method = method, sparse = FALSE,
                      control = list(rel.tol = tol, iter.max = 1000, eval.max = 2000)),
               silent = TRUE)
    if (!inherits(out, "try-error")) return(out)
  }
  stop(out)
}
restricted <- function(s, X, t2) {
  M <- s$V + t2 * s$H; f <- gls(s, X, t2)
  -0.5 * (determinant(M)$modulus + determinant(t(X) %*% f$W %*% X)$modulus + f$Q)
}
# The root of the score, from rma.mv's answer: nlminb leaves tau2 good to five or six digits.
polish <- function(s, X, start, reml) {
  score <- function(t2) {
    f <- gls(s, X, t2)
    P <- f$W - f$W %*% X %*% f$C %*% t(X) %*% f$W
    Py <- drop(P %*% s$y)
    drop(t(Py) %*% s$H %*% Py) - sum(diag((if (reml) P else f$W) %*% s$H))
  }
  if (start < 1e-7) return(0)
  uniroot(score, c(start * 0.9, start * 1.1), tol = 1e-15, extendInt = "yes")$root
}
pm <- function(s, X) {
  df <- length(s$y) - ncol(X)
  f <- function(t2) gls(s, X, t2)$Q - df
  if (f(0) <= 0) return(0)
  uniroot(f, c(0, 10 * mean(diag(s$V)) + 10), tol = 1e-15)$root
}
fit_of <- function(s, X, tau2) {
  f <- gls(s, X, tau2)
  list(tau2 = tau2, d = unname(f$b), se = unname(sqrt(diag(f$C))), cov = unname(f$C))
}
p_scores <- function(f, names) {
  d <- c(0, f$d); C <- rbind(0, cbind(0, f$cov)); k <- length(d)
  out <- sapply(seq_len(k), function(i) mean(sapply(setdiff(seq_len(k), i), function(j)
    pnorm((d[j] - d[i]) / sqrt(C[i, i] + C[j, j] - 2 * C[i, j])))))
  setNames(as.list(out), names)
}
interaction_of <- function(s, blocks, X) {
  key <- sapply(blocks, function(b) paste(sort(b$arms), collapse = "|"))[s$study]
  Z <- do.call(cbind, lapply(unique(key), function(k) {
    Zk <- X; Zk[key != k, ] <- 0
    q <- qr(Zk); Zk[, q$pivot[seq_len(q$rank)], drop = FALSE]
  }))
  list(Z = Z, key = key)
}
splits_of <- function(s, blocks, names, f) {
  d <- setNames(c(0, f$d), names); C <- rbind(0, cbind(0, f$cov)); dimnames(C) <- list(names, names)
  out <- list()
  for (i in 1:(length(names) - 1)) for (j in (i + 1):length(names)) {
    a <- names[i]; b <- names[j]
    has <- Filter(function(x) a %in% x$arms && b %in% x$arms, blocks)
    if (!length(has)) next
    yv <- sapply(has, function(x) {
      k <- c(match(a, x$arms), match(b, x$arms)); w <- numeric(length(x$arms)); w[k] <- c(1, -1)
      w <- w[-1]
      c(sum(w * x$y), drop(t(w) %*% x$V %*% w))
    })
    w <- 1 / (yv[2, ] + f$tau2)
    direct <- sum(w * yv[1, ]) / sum(w); v <- 1 / sum(w)
    vn <- C[a, a] + C[b, b] - 2 * C[a, b]; net <- d[[a]] - d[[b]]
    p <- vn / v
    row <- list(treat1 = a, treat2 = b, share = p, direct = direct, direct_se = sqrt(v))
    if (1 - p > 1e-9) {
      ind <- (net - p * direct) / (1 - p); vi <- vn / (1 - p)
      z <- (direct - ind) / sqrt(v + vi)
      row <- c(row, list(indirect = ind, indirect_se = sqrt(vi), z = z, p = 2 * pnorm(-abs(z))))
    }
    out[[length(out) + 1]] <- row
  }
  out
}
side_of <- function(s, blocks, names, X, method) {
  out <- list()
  for (i in 1:(length(names) - 1)) for (j in (i + 1):length(names)) {
    a <- names[i]; b <- names[j]
    both <- sapply(blocks, function(x) a %in% x$arms && b %in% x$arms)[s$study]
    if (!any(both)) next
    Z <- cbind(X, ifelse(both, (s$X[, a] - s$X[, b]) / 2, 0))
    if (qr(Z)$rank < ncol(Z)) next
    m <- mv(s, Z, method)
    t2 <- polish(s, Z, m$tau2, TRUE)
    f <- gls(s, Z, t2); k <- ncol(Z)
    out[[length(out) + 1]] <- list(treat1 = a, treat2 = b, tau2 = t2, difference = f$b[[k]],
                                   se = sqrt(f$C[k, k]))
  }
  out
}
flow_of <- function(s, names, tau2) {
  W <- solve(s$V + tau2 * s$H)
  L <- t(s$X) %*% W %*% s$X
  e <- eigen(L, symmetric = TRUE); keep <- e$values > 1e-9 * e$values[1]
  P <- e$vectors[, keep] %*% diag(1 / e$values[keep]) %*% t(e$vectors[, keep])
  out <- list()
  for (i in 1:(length(names) - 1)) for (j in (i + 1):length(names)) {
    c0 <- numeric(length(names)); c0[c(i, j)] <- c(1, -1)
    pot <- drop(P %*% c0)
    fl <- -L * outer(pot, pot, "-"); diag(fl) <- 0
    out[[length(out) + 1]] <- list(treat1 = names[i], treat2 = names[j], direct = abs(fl[i, j]),
      parallelism = 1 / max(abs(fl)), path = sum(abs(fl)) / 2)
  }
  out
}

one <- function(name) {
  d <- data[[name]][[1]]; measure <- data[[name]][[2]]
  message(name)
  blocks <- unname(if (measure == "generic") of_contrasts(d) else of_arms(d, measure))
  names <- sort(unique(unlist(lapply(blocks, `[[`, "arms"))), method = "radix")
  s <- stacked(blocks, names); X <- s$X[, -1, drop = FALSE]
  df <- length(s$y) - ncol(X)
  common <- fit_of(s, X, 0); Q <- gls(s, X, 0)$Q
  check <- rma.mv(s$y, s$V, mods = X, intercept = FALSE, method = "FE", sparse = FALSE)
  stopifnot(max(abs(check$beta - common$d)) < 1e-8, abs(check$QE - Q) < 1e-6 * Q)
  inter <- interaction_of(s, blocks, X)
  within <- gls(s, inter$Z, 0)$Q
  if (length(s$y) == ncol(inter$Z)) within <- 0
  out <- list(measure = measure, data = d, treatments = names, k = length(blocks),
              q = Q, q_df = df, q_within = within, df_within = length(s$y) - ncol(inter$Z),
              q_between = Q - within, df_between = ncol(inter$Z) - ncol(X), common = common,
              common_splits = splits_of(s, blocks, names, common),
              common_p_scores = p_scores(common, names), common_flow = flow_of(s, names, 0))
  if (df > 0) {
    raw <- list(REML = mv(s, X, "REML")$tau2, ML = mv(s, X, "ML")$tau2)
    P <- { f <- gls(s, X, 0); f$W - f$W %*% X %*% f$C %*% t(X) %*% f$W }
    tau2 <- list(REML = polish(s, X, raw$REML, TRUE), ML = polish(s, X, raw$ML, FALSE),
                 DL = max(0, (Q - df) / sum(diag(P %*% s$H))), PM = pm(s, X))
    out$metafor_tau2 <- raw
    out$fits <- lapply(tau2, function(t2) fit_of(s, X, t2))
    out$splits <- splits_of(s, blocks, names, out$fits$REML)
    out$p_scores <- p_scores(out$fits$REML, names)
    out$flow <- flow_of(s, names, tau2$REML)
    out$side <- side_of(s, blocks, names, X, "REML")
    if (out$df_between > 0 && out$df_within > 0) {
      m <- mv(s, inter$Z, "REML"); t2 <- polish(s, inter$Z, m$tau2, TRUE)
      out$interaction <- list(tau2 = t2, q = gls(s, X, t2)$Q - gls(s, inter$Z, t2)$Q)
    }
  }
  for (f in c("fits", "common")) if (f == "common") out$common$cov <- NULL else
    for (m in names(out$fits)) out$fits[[m]]$cov <- NULL
  out
}
cells <- lapply(setNames(names(data), names(data)), one)
certificate <- list(script = "networks.R", call = "Rscript networks.R", R = R.version.string,
  packages = lapply(list(metafor = "metafor", metadat = "metadat"), function(p)
    as.character(packageVersion(p))),
  inputs = "metadat: dat.senn2013, dat.dong2013, dat.franchini2012, dat.gurusamy2011, dat.hasselblad1998, dat.linde2015, dat.linde2016, dat.pagliaro1992, dat.stowe2010, dat.woods2010, dat.baker2009, dat.dogliotti2014 (their help pages cite the papers)")
write(toJSON(list(certificate = certificate, cells = cells), digits = NA, auto_unbox = TRUE,
             null = "null", na = "null"), "networks.json")
