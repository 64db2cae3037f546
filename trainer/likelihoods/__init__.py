"""Observation models p(x|z), which define the decoder's output. `get_likelihood` builds the one that the configuration names."""

from __future__ import annotations

from collections.abc import Callable

from trainer.config import ModelConfig
from trainer.likelihoods.base import Likelihood
from trainer.likelihoods.bernoulli import Bernoulli
from trainer.likelihoods.continuous_bernoulli import ContinuousBernoulli
from trainer.likelihoods.discretized_logistic_mixture import DiscretizedLogisticMixture
from trainer.likelihoods.gaussian import Gaussian

LIKELIHOODS: dict[str, Callable[[ModelConfig, int], Likelihood]] = {
    "bernoulli": lambda config, channels: Bernoulli(channels, binary=config.binarisation == "dynamic"),
    "continuous_bernoulli": lambda config, channels: ContinuousBernoulli(channels),
    "gaussian": lambda config, channels: Gaussian(channels, config.sigma),
    "discretized_logistic_mixture": lambda config, channels: DiscretizedLogisticMixture(channels, config.mixtures),
}


def get_likelihood(config: ModelConfig, channels: int) -> Likelihood:
    """Build the observation model that the configuration names, for images of 1 or 3 channels.

    Raises:
        ValueError: The likelihood is unknown. The message lists the known likelihoods.

    Example:
        >>> type(get_likelihood(ModelConfig(likelihood="gaussian"), channels=3)).__name__
        'Gaussian'
    """
    if config.likelihood not in LIKELIHOODS:
        raise ValueError(f"unknown likelihood {config.likelihood!r}: allowed are {', '.join(LIKELIHOODS)}")
    return LIKELIHOODS[config.likelihood](config, channels)
