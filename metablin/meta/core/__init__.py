"""Effects in, fit out: the fitted meta-analysis, its options and the registry of models."""
