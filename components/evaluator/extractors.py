"""The extractors of TensorFlow Model Analysis for each batch: its own, and one that counts. TFX calls `custom_extractors`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.api import model_eval_lib
from tensorflow_model_analysis.extractors import extractor, predictions_extractor

from components.evaluator.meter import CountPictures


def custom_extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[extractor.Extractor]:
    """Return TFMA's default extractors, with a counting extractor after the model's predictions. Arguments are those of TFMA."""
    found = model_eval_lib.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    answered = [each.stage_name for each in found].index(predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME)
    counted = extractor.Extractor(stage_name="CountPictures", ptransform=beam.ParDo(CountPictures()))
    return [*found[: answered + 1], counted, *found[answered + 1 :]]
