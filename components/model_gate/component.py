"""The ModelGate component."""

from __future__ import annotations

import dataclasses
import json

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.feature_extractor.artifacts import Features
from components.model_gate.config import PictureLimits
from components.model_gate.executor import Executor
from components.sample_quality.artifacts import Quality


class ModelGateSpec(ComponentSpec):
    """Inputs, outputs and parameters of `ModelGate`."""

    PARAMETERS = {
        "who": ExecutionParameter(type=str),
        "why": ExecutionParameter(type=str),
        "max_label_accuracy_drop": ExecutionParameter(type=float, optional=True),
        "max_drop": ExecutionParameter(type=float, optional=True),
        "picture_limits": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "evaluator_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "forced_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "withdrawal": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "features": ChannelParameter(type=Features, optional=True),
        "last_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "quality": ChannelParameter(type=Quality, optional=True),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.ModelBlessing)}


class ModelGate(base_component.BaseComponent):
    """Gives the blessing that counts: the Evaluator's own, unless the pictures are bad, or one that a person forced.

    The Evaluator sees the ELBO, which holds where new pictures are fog: `picture_limits` refuses a model for those.

    TFX's Evaluator knows no exception. A model that it or this gate refused is blessed if `why` says for what reason; the
    blessing carries who, why and when. It stands for that evaluation: a run in which nothing has changed finds it again, and
    need not be told twice. Where nothing is refused, `why` changes nothing. A model from which a person has rolled back is
    refused, whatever the Evaluator says, until a person says otherwise.

    Args:
        evaluation: What the Evaluator measured.
        evaluator_blessing: What it decided.
        forced_blessing: One that was forced on the same evaluation before, where there is one.
        withdrawal: The rollback that took this very model out of service, where there was one.
        features: What a classifier has learned of the labels.
        last_blessing: The blessing of the last good model, which says how well they could be learned then.
        quality: What SampleQuality measured of new pictures.
        max_label_accuracy_drop: By how much worse they may be learned now, 0 to 1; None asks for nothing.
        max_drop: How far the ELBO may be below that of the best of the models before, of which each was judged by the one before
            it, nats per picture; None asks for nothing.
        picture_limits: How far new pictures may be from held-out ones.
        who: The person that asks for a blessing, as user@host.
        why: The reason; empty asks for none.
        code: Hash of the code, for the cache.
    """

    SPEC_CLASS = ModelGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        evaluation: types.BaseChannel,
        evaluator_blessing: types.BaseChannel,
        forced_blessing: types.BaseChannel | None = None,
        withdrawal: types.BaseChannel | None = None,
        features: types.BaseChannel | None = None,
        last_blessing: types.BaseChannel | None = None,
        quality: types.BaseChannel | None = None,
        max_label_accuracy_drop: float | None = None,
        max_drop: float | None = None,
        picture_limits: PictureLimits = PictureLimits(),
        who: str = "",
        why: str = "",
        code: str = "",
    ):
        spec = ModelGateSpec(
            evaluation=evaluation,
            evaluator_blessing=evaluator_blessing,
            forced_blessing=forced_blessing,
            withdrawal=withdrawal,
            features=features,
            last_blessing=last_blessing,
            quality=quality,
            max_label_accuracy_drop=max_label_accuracy_drop,
            max_drop=max_drop,
            picture_limits=json.dumps(dataclasses.asdict(picture_limits)),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            who=who,
            why=why,
            code=code,
        )
        super().__init__(spec=spec)
