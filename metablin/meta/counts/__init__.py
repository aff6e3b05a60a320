"""Models of counts: binomial and Poisson mixed models, beta-binomial, Mantel-Haenszel, Peto."""
