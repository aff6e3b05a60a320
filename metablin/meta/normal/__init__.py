"""Models of normal effects: inverse variance, regression, subgroups, multilevel, many at once."""
