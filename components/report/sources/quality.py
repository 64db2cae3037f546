"""Read SampleQuality's figures, and the pictures that it stored."""

from __future__ import annotations

import logging
import os

import numpy as np
import tensorflow as tf
from tfx.types import Artifact

from components.report.data import CopyPair
from components.report.sources.files import read_json
from components.sample_quality.figures import QUALITY, Quality

_log = logging.getLogger("darkroom.report")


def read_quality(artifact: Artifact | None) -> Quality | None:
    """Return the figures, or the reason for missing ones; None if the run had no SampleQuality or its file cannot be read."""
    found = read_json(artifact.uri, QUALITY) if artifact is not None else {}
    if not found:
        return None
    try:
        return Quality.from_dict(found)
    except (TypeError, AttributeError) as error:
        _log.warning("%s is not as it should be: %s", QUALITY, error)
        return None


def read_copies(artifact: Artifact | None, quality: Quality | None) -> list[CopyPair]:
    """Return the stored near-copies, each beside its original; those with unreadable files are skipped."""
    pairs = []
    for copy in quality.copies.examples if artifact is not None and quality is not None and quality.copies else ():
        try:
            pictures = [_read_png(os.path.join(artifact.uri, name)) for name in (copy.generated_png, copy.training_png)]
        except (OSError, tf.errors.OpError) as error:
            _log.warning("a near-copy of %s cannot be shown: %s", copy.training, error)
            continue
        pairs.append(CopyPair(*pictures, copy.training, copy.distance))
    return pairs


def _read_png(path: str) -> np.ndarray:
    """Read a PNG file as uint8 [h, w, c]."""
    return tf.io.decode_png(tf.io.read_file(path)).numpy()
