"""What a person may set about judging the pictures that a model makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureLimits:
    """How far new pictures may be from held-out ones, by the figures of SampleQuality; None asks for nothing.

    Attributes:
        max_frechet_rise: How far the Frechet distance may be above that of the last blessed model's pictures, as a share of it
            (0.5: by 50 %), beyond the noise of the generation seed.
        max_two_sample: The two-sample accuracy, 0.5 to 1, that new pictures must not exceed.
        max_copies: Share of the new pictures, 0 to 1, that may be near-copies of training pictures beyond the share of held-out
            pictures that are.
        min_high_frequencies: Power of the high spatial frequencies of new pictures, as a share of that of held-out ones, to reach.
        min_coverage: Coverage of new pictures to reach, as a share, 0 to 1, of that of rebuilt held-out pictures.
    """

    max_frechet_rise: float | None = None
    max_two_sample: float | None = None
    max_copies: float | None = None
    min_high_frequencies: float | None = None
    min_coverage: float | None = None
