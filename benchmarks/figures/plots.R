# Draws the figures that R draws. usage: Rscript plots.R FOLDER
# FOLDER/specs.csv: number, style, ending, dpi, grey, unit, ticks (joined by ;), table
# FOLDER/NNN.csv: panel, arm, time, event. Writes FOLDER/NNN.ending.
suppressPackageStartupMessages({library(survival)})
folder <- commandArgs(TRUE)[1]
specs <- read.csv(file.path(folder, "specs.csv"), stringsAsFactors = FALSE)

open_device <- function(s, wide, high) {
  f <- file.path(folder, sprintf("%03d.%s", s$number, s$ending))
  switch(s$ending,
    pdf = if (s$number %% 2) pdf(f, wide, high) else cairo_pdf(f, wide, high),
    svg = if (s$number %% 2 && requireNamespace("svglite", quietly = TRUE))
      svglite::svglite(f, wide, high) else svg(f, wide, high),
    png = png(f, wide, high, units = "in", res = s$dpi, type = "cairo"),
    jpg = jpeg(f, wide, high, units = "in", res = s$dpi, quality = 82, type = "cairo"),
    tiff = tiff(f, wide, high, units = "in", res = s$dpi, compression = "lzw", type = "cairo"))
}
at_risk <- function(d, a, t) sapply(t, function(x) sum(d$time[d$arm == a] >= x))

base_colour <- function(d, s, t) {
  par(mar = c(5 + 1.2 * nlevels(d$arm), 8, 2, 1), las = 1)
  f <- survfit(Surv(time, event) ~ arm, d)
  k <- seq_len(nlevels(d$arm)); ink <- c("red", "blue", "darkgreen", "orange")[k]
  plot(f, col = ink, mark.time = TRUE, lwd = 2, xaxt = "n", xlim = c(0, max(t)),
       xlab = paste("Time in", s$unit), ylab = "Survival")
  axis(1, t)
  legend("topright", levels(d$arm), col = ink, lwd = 2, bty = "n")
  mtext("At risk", 1, 3.2, at = -0.12 * max(t), adj = 1, cex = 0.9)
  for (i in k) {
    mtext(levels(d$arm)[i], 1, 3.2 + 1.1 * i, at = -0.06 * max(t), adj = 1, cex = 0.8)
    mtext(at_risk(d, levels(d$arm)[i], t), 1, 3.2 + 1.1 * i, at = t, cex = 0.8)
  }
}
base_lty <- function(d, s, t) {
  par(bty = "l")
  f <- survfit(Surv(time, event) ~ arm, d)
  k <- seq_len(nlevels(d$arm))
  plot(f, lty = k, lwd = 1.5, xlab = s$unit, ylab = "Proportion surviving", xlim = c(0, max(t)))
  legend("topright", levels(d$arm), lty = k, lwd = 1.5)
}
base_ci <- function(d, s, t) {
  f <- survfit(Surv(time, event) ~ arm, d)
  ink <- c("#1b9e77", "#d95f02", "#7570b3", "#e7298a")[seq_len(nlevels(d$arm))]
  plot(f, conf.int = TRUE, col = ink, yscale = 100, xlim = c(0, max(t)),
       xlab = paste("Follow-up,", s$unit), ylab = "Survival, %")
  legend("bottomleft", levels(d$arm), col = ink, lty = 1)
}
steps_of <- function(d) {
  f <- survfit(Surv(time, event) ~ arm, d)
  arm <- factor(rep(sub("^arm=", "", names(f$strata)), f$strata), levels(d$arm))
  x <- data.frame(arm, time = f$time, surv = f$surv, lower = f$lower, upper = f$upper,
                  censored = f$n.censor > 0)
  first <- data.frame(arm = factor(levels(d$arm), levels(d$arm)), time = 0, surv = 1, lower = 1,
                      upper = 1, censored = FALSE)
  x <- rbind(first, x); x[order(x$arm, x$time), ]
}
stepped <- function(x) do.call(rbind, lapply(split(x, x$arm), function(a) {
  n <- nrow(a); i <- rep(seq_len(n), each = 2)[-1]; j <- rep(seq_len(n), each = 2)[-2 * n]
  data.frame(arm = a$arm[1], time = a$time[i], lower = a$lower[j], upper = a$upper[j])}))
gg_table <- function(p, d, t) {
  k <- seq_len(nlevels(d$arm))
  rows <- do.call(rbind, lapply(k, function(i) data.frame(
    arm = factor(levels(d$arm)[i], levels(d$arm)), time = t, y = -0.22 - 0.08 * i,
    n = at_risk(d, levels(d$arm)[i], t))))
  p + ggplot2::geom_text(ggplot2::aes(time, y, label = n), rows, colour = "black", size = 3.2,
                         show.legend = FALSE) +
    ggplot2::annotate("text", x = -0.06 * max(t), y = c(-0.22, -0.22 - 0.08 * k), hjust = 1,
                      size = 3.2, label = c("Number at risk", levels(d$arm))) +
    ggplot2::coord_cartesian(ylim = c(0, 1), xlim = c(0, max(t)), clip = "off") +
    ggplot2::theme(plot.margin = ggplot2::margin(8, 12, 30 + 22 * max(k), 90))
}
gg_classic <- function(d, s, t) {
  library(ggplot2); x <- steps_of(d)
  p <- ggplot(x, aes(time, surv, colour = arm)) + geom_step(linewidth = 0.8) +
    geom_point(data = x[x$censored, ], shape = 3, size = 2, show.legend = FALSE) +
    scale_colour_brewer(palette = "Set1", name = NULL) + scale_x_continuous(breaks = t) +
    labs(x = paste("Time,", s$unit), y = "Overall survival") +
    theme_classic() + theme(legend.position = "top")
  print(gg_table(p, d, t))
}
gg_grey <- function(d, s, t) {
  library(ggplot2); x <- steps_of(d)
  print(ggplot(x, aes(time, surv, colour = arm)) + geom_step() +
    geom_ribbon(data = stepped(x), aes(time, ymin = lower, ymax = upper, fill = arm),
                inherit.aes = FALSE, alpha = 0.2) +
    scale_x_continuous(breaks = t) + coord_cartesian(ylim = c(0, 1)) +
    scale_y_continuous(labels = function(v) paste0(100 * v, "%")) +
    labs(x = s$unit, y = "Survival"))
}
gg_facets <- function(d, s, t) {
  library(ggplot2)
  x <- do.call(rbind, lapply(split(d, d$panel), function(p) cbind(panel = p$panel[1], steps_of(p))))
  x$panel <- c(A = "A: Overall survival", B = "B: Relapse-free survival")[x$panel]
  print(ggplot(x, aes(time, surv, colour = arm)) + geom_step(linewidth = 0.7) + facet_wrap(~panel) +
    scale_x_continuous(breaks = t) + scale_y_continuous(limits = c(0, 1)) +
    scale_colour_manual(values = c("#0072b5", "#bc3c29", "#20854e", "#e18727"), name = "Arm") +
    labs(x = s$unit, y = "Probability") + theme_bw() + theme(legend.position = "bottom"))
}
miner <- function(...) function(d, s, t) {
  suppressPackageStartupMessages(library(survminer))
  d <<- d
  f <- surv_fit(Surv(time, event) ~ arm, data = d)
  print(ggsurvplot(f, data = d, break.time.by = t[2], xlim = c(0, max(t)),
                   xlab = paste("Time,", s$unit), legend.labs = levels(d$arm), ...),
        newpage = FALSE)
}
gg <- asNamespace("ggplot2")
styles <- list(
  "base R" = list(base_colour, 7, 5.5), "base R, black" = list(base_lty, 6, 5),
  "base R, intervals" = list(base_ci, 6.5, 5), "ggplot2" = list(gg_classic, 7, 5.5),
  "ggplot2, grey page" = list(gg_grey, 7, 4.5), "ggplot2, facets" = list(gg_facets, 9.5, 4.5),
  "survminer" = list(miner(risk.table = TRUE, conf.int = TRUE, pval = TRUE), 7, 6.5),
  "survminer, bars" = list(miner(risk.table = TRUE, risk.table.y.text = FALSE,
    risk.table.y.text.col = TRUE, surv.median.line = "hv", palette = "jco",
    linetype = "strata", ggtheme = gg$theme_bw()), 7, 6.5),
  "survminer, percent" = list(miner(risk.table = "abs_pct", fun = "pct", censor.shape = "|",
    palette = "lancet", risk.table.fontsize = 3, tables.theme = gg$theme_void()), 7.5, 6.5),
  "survminer, three tables" = list(miner(risk.table = TRUE, cumevents = TRUE, ncensor.plot = FALSE,
    palette = c("#E7B800", "#2E9FDF", "#CC4444", "#444444"), tables.height = 0.2), 7, 8))

for (i in seq_len(nrow(specs))) {
  s <- specs[i, ]
  d <- read.csv(file.path(folder, sprintf("%03d.csv", s$number)), stringsAsFactors = FALSE)
  d$arm <- factor(d$arm, unique(d$arm))
  st <- styles[[s$style]]
  open_device(s, st[[2]], st[[3]])
  st[[1]](d, s, as.numeric(strsplit(s$ticks, ";")[[1]]))
  invisible(dev.off())
}
