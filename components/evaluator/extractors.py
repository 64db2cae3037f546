"""The extractors of TensorFlow Model Analysis for each batch: its own, and one that counts. TFX calls `custom_extractors`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.api import model_eval_lib
from tensorflow_model_analysis.extractors import extractor, predictions_extractor

from components.evaluator.counting import CountPictures


def custom_extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[extractor.Extractor]:
    """Return TFMA's default extractors, with a counting extractor after the model's predictions. Arguments are those of TFMA."""
    stages = model_eval_lib.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    predictions = [each.stage_name for each in stages].index(predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME)
    counted = extractor.Extractor(stage_name="CountPictures", ptransform=beam.ParDo(CountPictures()))
    return [*stages[: predictions + 1], counted, *stages[predictions + 1 :]]
