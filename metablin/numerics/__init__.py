"""Arrays in, arrays out: least squares, estimators of tau2, optimisers, quadrature, tails.

Nothing here knows a data frame, a record or a trial.
"""
