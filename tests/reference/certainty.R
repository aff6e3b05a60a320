# Pins what absolute effects and ratings rest on: predictive tail probabilities of Hartung-Knapp pools
# (metafor), restricted means with their standard errors (survival), and sample sizes of two
# proportions (stats). Run from tests/reference after data.R; writes certainty.json with its inputs.
suppressMessages({library(metafor); library(survival); library(jsonlite)})
get <- function(name) read.csv(file.path("data", paste0(name, ".csv")))

h <- get("log_hr")
y <- log(h$estimate)
v <- ((log(h$conf_high) - log(h$conf_low)) / (2 * qnorm(0.975)))^2
tight <- list(threshold = 1e-14, maxiter = 10000)
r <- rma(y, v, method = "REML", test = "knha", control = tight)
cuts <- c(0.5, 0.7, 0.9, 1, 1.2)
spread <- sqrt(r$se^2 + r$tau2)
beyond <- list(cuts = cuts, df = r$dfs,
  above = pt((log(cuts) - as.numeric(r$beta)) / spread, df = r$dfs, lower.tail = FALSE))
z <- rma(y, v, method = "DL", test = "z")
beyond$above_z <- pnorm((log(cuts) - as.numeric(z$beta)) / sqrt(z$se^2 + z$tau2), lower.tail = FALSE)

set.seed(20)
n <- 60
draw <- function(mean) {
  t <- rexp(n, 1 / mean); c <- runif(n, 5, 60)
  data.frame(time = ceiling(10 * pmin(t, c)) / 10, event = as.integer(t <= c))
}
arms <- list(treatment = draw(30), control = draw(15))
tau <- 36
area <- lapply(arms, function(a) {
  s <- summary(survfit(Surv(time, event) ~ 1, data = a), rmean = tau)$table
  list(rmean = s[["rmean"]], se = s[["se(rmean)"]])
})

p0 <- c(0.05, 0.2, 0.4, 0.6)
size <- lapply(p0, function(p) list(p0 = p,
  n = power.prop.test(p1 = p, p2 = 0.75 * p, power = 0.8, sig.level = 0.05)$n))

writeLines(toJSON(list(certificate = list(script = "tests/reference/certainty.R", r = R.version.string,
    metafor = as.character(packageVersion("metafor")), survival = as.character(packageVersion("survival")),
    inputs = "tests/reference/data/log_hr.csv; arms drawn here, in this file"),
  beyond = beyond, arms = lapply(arms, as.list), tau = tau, area = area, size = size),
  auto_unbox = TRUE, digits = NA), "certainty.json")
