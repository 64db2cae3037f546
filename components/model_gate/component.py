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
    """Write the decisive blessing: the Evaluator's, unless the pictures are bad or a person forced a blessing.

    The Evaluator sees the ELBO, which does not detect that new pictures are fog; `picture_limits` refuses such models.

    TFX's Evaluator allows no exception. If it or this gate refuses a model, a reason in `why` blesses the model anyway; the
    blessing records who, why and when. It is valid for that evaluation: an unchanged run finds it again, and needs no second `why`.
    If nothing is refused, `why` has no effect. A model that a person rolled back is refused, whatever the Evaluator decides, until
    a person blesses it.

    Args:
        evaluation: The Evaluator's results.
        evaluator_blessing: The Evaluator's decision.
        forced_blessing: An earlier forced blessing of the same evaluation, if any.
        withdrawal: The rollback that took this model out of service, if any.
        features: The feature space, with the accuracy of a classifier of the labels.
        last_blessing: The blessing of the last good model, with the accuracy then.
        quality: SampleQuality's figures for new pictures.
        max_label_accuracy_drop: Allowed drop of that accuracy, 0 to 1; None: no check.
        max_drop: Allowed drop of the ELBO below the best earlier model, accumulated over models that were each judged by the
            previous one, nats per picture; None: no check.
        picture_limits: Limits on the distance of new pictures from held-out ones.
        who: The person who requests a blessing, as user@host.
        why: The reason; empty for no request.
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
