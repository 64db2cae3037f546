"""Count the evaluated pictures. This is not part of `extractors`, because TFX reloads that module for each evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.utils import util

from common.meter import Meter

METER = Meter("evaluating", speed=True)


class CountPictures(beam.DoFn):
    """Pass batches on, and count their pictures."""

    def process(self, extracts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Count the pictures of one batch of extracts."""
        METER.count(util.batch_size(extracts))
        yield extracts
