"""Published and measured figures to compare runs on well-known data sets with."""

from __future__ import annotations

from dataclasses import dataclass

from components.report.data import ReportData


@dataclass(frozen=True)
class Protocol:
    """The conditions besides the model that a figure depends on."""

    title: str  # title of the data set
    image_shape: tuple[int, int, int]  # shape of the preprocessed pictures
    held_out: int  # number of held-out pictures
    likelihood: str  # p(x|z)
    binarised: bool = False  # whether pictures are binarized
    latent_dim: int | None = None  # the number of latent dimensions if the figure depends on it; None for any

    def holds(self, report: ReportData) -> bool:
        """Return whether the run was evaluated by this protocol."""
        model = report.model
        found = (report.title, model.image_shape, report.held_out.pictures, model.likelihood, model.binarised)
        wanted = (self.title, self.image_shape, self.held_out, self.likelihood, self.binarised)
        return found == wanted and self.latent_dim in (None, model.latent_dim) and not model.conditional


@dataclass(frozen=True)
class Reference:
    """A figure: `measure` is `elbo`, `importance_weighted` (nats per picture) or `bits_per_dimension` (lower is better)."""

    who: str
    measure: str
    value: float


_FASHION = ("fashion-mnist", (28, 28, 1), 10_000)
REFERENCES: dict[Protocol, tuple[Reference, ...]] = {
    Protocol(*_FASHION, "bernoulli", binarised=True): (
        Reference("pythae's VAE, 512 wide, after 10 minutes of training", "importance_weighted", -232.1),
        Reference("published VAE, up to 2,000 epochs", "importance_weighted", -228.70),
        Reference("published ConvHVAE + VampPrior", "importance_weighted", -224.67),
    ),
    Protocol(*_FASHION, "bernoulli", latent_dim=2): (Reference("a plain 512-512 VAE, 3 minutes", "elbo", -253.1),),
    Protocol(*_FASHION, "bernoulli"): (Reference("a plain 512-512 VAE with 20 dimensions, 200 seconds", "elbo", -236.7),),
    Protocol(*_FASHION, "discretized_logistic_mixture"): (
        Reference("BB-ANS (Townsend et al. 2019), a VAE", "bits_per_dimension", 3.66),
        Reference("HCLT (Liu et al. 2022)", "bits_per_dimension", 3.34),
    ),
}


def references(report: ReportData) -> tuple[Reference, ...]:
    """Return the figures of the most specific protocol of the run; none if no protocol holds."""
    holding = [protocol for protocol in REFERENCES if protocol.holds(report)]
    return REFERENCES[min(holding, key=lambda protocol: protocol.latent_dim is None)] if holding else ()
