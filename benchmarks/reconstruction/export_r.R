# Writes the data sets of R's 'survival' package that the benchmark uses: only time (months), status, arm.
suppressMessages(library(survival))
out <- "data"
month <- 30.4375
save_set <- function(name, time, status, arm) {
  ok <- !is.na(time) & !is.na(status) & !is.na(arm) & time > 0
  d <- data.frame(time = signif(time[ok], 7), status = as.integer(status[ok]),
                  arm = as.integer(factor(arm[ok])) - 1L)
  write.csv(d, file.path(out, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
d <- lung; save_set("lung", d$time / month, d$status == 2, d$sex)
d <- veteran; save_set("veteran", d$time / month, d$status, d$trt)
d <- subset(colon, etype == 2 & rx != "Lev"); save_set("colon_death", d$time / month, d$status, d$rx == "Lev+5FU")
d <- subset(colon, etype == 1 & rx != "Obs"); save_set("colon_recurrence", d$time / month, d$status, d$rx == "Lev+5FU")
d <- ovarian; save_set("ovarian", d$futime / month, d$fustat, d$rx)
d <- subset(pbc, !is.na(trt)); save_set("pbc", d$time / month, d$status == 2, d$trt)
d <- rotterdam; save_set("rotterdam_hormone", d$dtime / month, d$death, d$hormon)
d <- rotterdam; save_set("rotterdam_relapse", d$rtime / month, d$recur, d$chemo)
d <- gbsg; save_set("gbsg", d$rfstime / month, d$status, d$hormon)
d <- myeloid; save_set("myeloid", d$futime / month, d$death, d$trt)
d <- mgus2; save_set("mgus2", d$futime, d$death, d$sex)
d <- mgus; save_set("mgus", d$futime / month, d$death, d$sex)
d <- stanford2; save_set("stanford2", d$time / month, d$status, d$age > 42)
d <- retinopathy; save_set("retinopathy", d$futime, d$status, d$trt)
d <- subset(kidney, !duplicated(id)); save_set("kidney", d$time / month, d$status, d$sex)
d <- nwtco; save_set("nwtco", d$edrel / month, d$rel, d$histol)
d <- udca1; save_set("udca", d$futime / month, d$status, d$trt)
d <- subset(cgd0, TRUE); e <- d$etime1; s <- !is.na(e)
save_set("cgd", ifelse(s, e, d$futime) / month, s, d$treat)
d <- aml; save_set("aml", d$time, d$status, d$x)
