"""What a person may set about judging pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from common import features

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class ValidationConfig:
    """What the pictures must be like beside the schema. Drift is the Jensen-Shannon divergence (base 2, 0 to 1) from the last
    pictures that passed; the first pictures have none before them and pass. Null asks for nothing.

    Attributes:
        max_near_black: Share of pictures that may be nearly all black (mean below 5 of 255, hardly varying).
        max_near_white: The same for white (mean above 250).
        max_near_constant: The same for any one colour or grey (standard deviation below 3). 1 refuses none: pictures of one
            colour each are odd, and may be meant.
        drift_brightness: Of the pictures' mean levels.
        drift_contrast: Of the standard deviations of their levels.
        drift_exposure: Of the shares of nearly black, white and constant ones.
        drift_labels: Of the shares of the labels.
        drift_channels: Of the numbers of channels.
        drift_size: Of heights and of widths; they are brought to one size anyway.
        max_rejects_rise: By how much the share of refused pictures may be above that of the last pictures that passed, where
            there are ten and more of them.
        label_set: `fixed` makes a label that is new, or has vanished, an anomaly: beside the schema's labels, or where that
            names none, beside those of the last pictures that passed.
    """

    max_near_black: Share | None = 0.5
    max_near_white: Share | None = 0.5
    max_near_constant: Share | None = 1.0
    drift_brightness: Share | None = 0.3  # like spans differ by 0.01, an inverted one by 0.8
    drift_contrast: Share | None = 0.3
    drift_exposure: Share | None = 0.1
    drift_labels: Share | None = 0.3
    drift_channels: Share | None = 0.5
    drift_size: Share | None = None
    max_rejects_rise: Share | None = 0.05
    label_set: Literal["fixed", "free"] = "fixed"

    def drift(self) -> dict[str, float]:
        """The thresholds by feature, of those that are asked for."""
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
