"""Settings for judging the pictures that a model generates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureLimits:
    """Limits on the distance of new pictures from held-out ones, by the figures of SampleQuality. None: no check."""

    # Allowed rise of the Frechet distance above that of the last blessed model's pictures, as a share of it (0.5: by 50 %), beyond
    # the noise of the generation seed
    max_frechet_rise: float | None = None
    max_two_sample: float | None = None  # highest two-sample accuracy, 0.5 to 1
    # Share of the new pictures, 0 to 1, that may be near-copies of training pictures beyond the share of held-out pictures that are
    max_copies: float | None = None
    # Lowest power of the high spatial frequencies of new pictures, as a share of that of held-out ones
    min_high_frequencies: float | None = None
    # Lowest coverage of new pictures, as a share, 0 to 1, of that of reconstructed held-out pictures
    min_coverage: float | None = None
