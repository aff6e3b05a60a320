# Reference values for tests/network/test_survival_networks.py. Run from this folder:
#   Rscript survival_networks.R FOLDER
# FOLDER holds ndmm_ipd.rda and ndmm_agd.rda of the R package multinma (0.8.0): 4,144 patients of five
# trials of maintenance in newly diagnosed multiple myeloma, simulated and reconstructed. Patients
# stay there; what is written are each trial's Cox regression and restricted means, and the pools.
# The network of Woods (2010) is read from published/copd_mortality.csv.
suppressMessages({library(metafor); library(survival); library(jsonlite)})
options(warn = 1)

gls <- function(y, V, X, H = NULL, tau2 = 0) {
  W <- solve(if (is.null(H)) V else V + tau2 * H)
  C <- solve(t(X) %*% W %*% X); b <- drop(C %*% t(X) %*% W %*% y)
  r <- y - drop(X %*% b)
  list(d = unname(b), se = unname(sqrt(diag(C))), q = drop(t(r) %*% W %*% r))
}

# Woods (2010): complementary log-log of counts, hazard ratios as printed -----------------------
d <- read.csv("published/copd_mortality.csv", stringsAsFactors = FALSE, na.strings = "")
names <- c("Fluticasone", "Placebo", "SFC", "Salmeterol")
blocks <- list()
for (s in unique(d$study)) {
  e <- d[d$study == s, ]
  if (!is.na(e$treatment[1])) {
    p <- e$events / e$n
    y <- log(-log(1 - p)); v <- p / (e$n * (1 - p) * log(1 - p)^2)
    k <- nrow(e)
    blocks[[s]] <- list(arms = e$treatment, y = y[-1] - y[1], V = diag(v[-1], k - 1) + v[1])
  } else {
    with_placebo <- e[e$treat2 == "Placebo", ]
    v <- with_placebo$std_error^2
    V <- diag(v, length(v))
    if (length(v) > 1) V[row(V) != col(V)] <- e$shared_variance[1]
    blocks[[s]] <- list(arms = c("Placebo", with_placebo$treat1), y = with_placebo$yi, V = V)
  }
}
y <- unlist(lapply(blocks, `[[`, "y"), use.names = FALSE)
V <- as.matrix(bldiag(lapply(blocks, `[[`, "V")))
H <- as.matrix(bldiag(lapply(blocks, function(b) (diag(length(b$y)) + 1) / 2)))
X <- do.call(rbind, lapply(blocks, function(b) {
  out <- matrix(0, length(b$y), 4, dimnames = list(NULL, names))
  for (i in seq_along(b$y)) { out[i, b$arms[i + 1]] <- 1; out[i, b$arms[1]] <- -1 }
  out
}))[, names != "Placebo"]
study <- rep(seq_along(blocks), sapply(blocks, function(b) length(b$y)))
row <- unlist(lapply(table(study), seq_len))
fe <- rma.mv(y, V, mods = X, intercept = FALSE, method = "FE", sparse = FALSE)
re <- rma.mv(y, V, mods = X, intercept = FALSE, random = ~ row | study, rho = 0.5,
             sparse = FALSE)
common <- gls(y, V, X)
stopifnot(max(abs(common$d - fe$beta)) < 1e-8)
woods <- list(treatments = names[names != "Placebo"], common = common, tau2 = re$tau2)
# Exact binomial likelihood of the counts beside the printed ratios: what Woods' model is without
# its priors. Intercepts of the count studies, effects, by maximum likelihood.
counts <- d[!is.na(d$treatment), ]
S <- model.matrix(~ 0 + factor(study), counts)
A <- sapply(setdiff(names, "Placebo"), function(t) as.numeric(counts$treatment == t))
of_ratio <- unique(d$study[is.na(d$treatment)])
yr <- unlist(lapply(blocks[of_ratio], `[[`, "y")); Vr <- as.matrix(bldiag(lapply(blocks[of_ratio], `[[`, "V")))
Xr <- X[study %in% match(of_ratio, names(blocks)), ]
Wr <- solve(Vr)
deviance <- function(theta) {
  a <- theta[1:ncol(S)]; b <- theta[-(1:ncol(S))]
  eta <- drop(S %*% a + A %*% b)
  r <- yr - drop(Xr %*% b)
  -sum(counts$events * log(-expm1(-exp(eta))) - (counts$n - counts$events) * exp(eta)) +
    drop(t(r) %*% Wr %*% r) / 2
}
start <- c(rep(-4, ncol(S)), common$d)
o <- optim(start, deviance, method = "BFGS", hessian = TRUE,
           control = list(reltol = 1e-14, maxit = 1000))
o <- optim(o$par, deviance, method = "BFGS", hessian = TRUE, control = list(reltol = 1e-15))
at <- -(1:ncol(S))
woods$exact <- list(d = o$par[at], se = sqrt(diag(solve(o$hessian)))[at])

# Newly diagnosed multiple myeloma ---------------------------------------------------------------
folder <- commandArgs(TRUE)[1]
load(file.path(folder, "ndmm_ipd.rda")); load(file.path(folder, "ndmm_agd.rda"))
keep <- c("study", "trt", "eventtime", "status")
p <- rbind(as.data.frame(ndmm_ipd)[keep], as.data.frame(ndmm_agd)[keep])
p$study <- as.character(p$study); p$trt <- as.character(p$trt)
horizon <- 36
area <- function(e) {
  f <- summary(survfit(Surv(eventtime, status) ~ 1, e), rmean = horizon)$table
  c(f[["rmean"]], f[["se(rmean)"]])
}
trials <- lapply(unique(p$study), function(s) {
  e <- p[p$study == s, ]; drug <- setdiff(unique(e$trt), "Pbo")
  m <- coxph(Surv(eventtime, status) ~ I(trt == drug), e, ties = "breslow")
  one <- area(e[e$trt == drug, ]); none <- area(e[e$trt == "Pbo", ])
  list(study = s, treat1 = drug, treat2 = "Pbo", n = nrow(e), events = sum(e$status),
       log_hr = unname(coef(m)), std_error = sqrt(vcov(m)[1, 1]),
       ph_p = cox.zph(m, transform = "log")$table[1, "p"],
       rmst = one[1] - none[1], rmst_se = sqrt(one[2]^2 + none[2]^2))
})
stage <- coxph(Surv(eventtime, status) ~ relevel(factor(trt), "Pbo") + strata(study), p,
               ties = "breslow")
Xm <- sapply(c("Len", "Thal"), function(t) sapply(trials, function(s) as.numeric(s$treat1 == t)))
value <- function(key) sapply(trials, `[[`, key)
pool <- function(y, v) {
  m <- rma.mv(y, v, mods = Xm, intercept = FALSE, method = "FE")
  r <- rma(y, v, mods = Xm, intercept = FALSE, method = "REML",
           control = list(threshold = 1e-12, maxiter = 1000))
  list(common = list(d = drop(m$beta), se = m$se), tau2 = r$tau2,
       random = list(d = drop(r$beta), se = r$se))
}
myeloma <- list(trials = trials, horizon = horizon,
  log_hr = pool(value("log_hr"), value("std_error")^2),
  rmst = pool(value("rmst"), value("rmst_se")^2),
  one_stage = list(d = unname(coef(stage)), se = unname(sqrt(diag(vcov(stage))))))
certificate <- list(script = "survival_networks.R", call = "Rscript survival_networks.R FOLDER",
  R = R.version.string, packages = lapply(list(metafor = "metafor", survival = "survival"),
    function(x) as.character(packageVersion(x))),
  inputs = "published/copd_mortality.csv; ndmm_ipd, ndmm_agd of multinma 0.8.0")
write(toJSON(list(certificate = certificate, woods = woods, myeloma = myeloma), digits = NA,
             auto_unbox = TRUE), "survival_networks.json")
