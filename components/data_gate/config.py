"""Settings for the validation of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from common import features

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class ValidationConfig:
    """Requirements on the pictures beyond the schema.

    Drift is the Jensen-Shannon divergence (base 2, 0 to 1) from the last accepted pictures; the first pictures have no baseline
    and pass. Null switches a check off.

    Attributes:
        max_near_black: Largest share of pictures that may be nearly all black (mean below 5 of 255, hardly varying).
        max_near_white: Largest share of pictures that may be nearly all white (mean above 250, hardly varying).
        max_near_constant: Largest share of pictures of any one color or gray (standard deviation below 3). 1 refuses none:
            pictures of one color are unusual, but may be intended.
        drift_brightness: Largest drift of the pictures' mean levels.
        drift_contrast: Largest drift of the standard deviations of their levels.
        drift_exposure: Largest drift of the shares of nearly black, white and constant pictures.
        drift_labels: Largest drift of the shares of the labels.
        drift_channels: Largest drift of the numbers of channels.
        drift_size: Largest drift of heights and of widths; all pictures are resized to one size anyway.
        max_rejects_rise: Largest rise of the share of rejected pictures above that of the last accepted pictures. Checked if ten
            or more pictures are rejected.
        label_set: `fixed` makes a new or vanished label an anomaly, compared with the schema's labels or, if the schema lists none,
            with those of the last accepted pictures. `free`: labels may come and go.
    """

    max_near_black: Share | None = 0.5
    max_near_white: Share | None = 0.5
    max_near_constant: Share | None = 1.0
    drift_brightness: Share | None = 0.3  # similar spans differ by 0.01, an inverted one by 0.8
    drift_contrast: Share | None = 0.3
    drift_exposure: Share | None = 0.1
    drift_labels: Share | None = 0.3
    drift_channels: Share | None = 0.5
    drift_size: Share | None = None
    max_rejects_rise: Share | None = 0.05
    label_set: Literal["fixed", "free"] = "fixed"

    def drift(self) -> dict[str, float]:
        """Return the thresholds that are set, by feature."""
        thresholds = {
            features.MEAN: self.drift_brightness,
            features.STD: self.drift_contrast,
            features.EXPOSURE: self.drift_exposure,
            features.LABEL: self.drift_labels,
            features.CHANNELS: self.drift_channels,
            features.HEIGHT: self.drift_size,
            features.WIDTH: self.drift_size,
        }
        return {feature: threshold for feature, threshold in thresholds.items() if threshold is not None}
