"""Several estimates a study: random effects of any structure, and their sampling covariance."""
