"""The Tuner component: TFX's own, with another executor."""

from __future__ import annotations

from tfx.components import Tuner as TfxTuner
from tfx.dsl.components.base import executor_spec

from components.tuner import executor


class Tuner(TfxTuner):
    """Search for hyperparameters. Arguments and outputs are those of `tfx.components.Tuner`.

    The output `tuner_results` also contains `trials.json`; see `trainer.tuning.trials`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
