"""Models of networks beyond least squares on contrasts."""

from metablin.network.models.bayes import NetworkPosterior, network_bayes
from metablin.network.models.components import ComponentFit, network_components
from metablin.network.models.regression import NetworkRegression, network_regression

__all__ = [
    "ComponentFit",
    "NetworkPosterior",
    "NetworkRegression",
    "network_bayes",
    "network_components",
    "network_regression",
]
