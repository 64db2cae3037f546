"""The ModelGate component."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components.artifacts import Features, Quality
from components.declaration import DeclaredComponent, Parameter
from components.model_gate.config import PictureLimits
from components.model_gate.executor import Executor


class ModelGate(DeclaredComponent):
    """Write the decisive blessing: the Evaluator's, unless the pictures are bad or a person forced a blessing.

    The Evaluator sees the ELBO, which does not detect blurred new pictures; `picture_limits` refuses such models.

    TFX's Evaluator allows no exception. If it or this gate refuses a model, a reason in `why` blesses the model anyway; the
    blessing records who, why and when. It is valid for that evaluation: an unchanged run finds it again, and needs no second `why`.
    If nothing is refused, `why` has no effect. A model that a person rolled back is refused until
    a person blesses it.
    """

    EXECUTOR = Executor
    INPUTS = {
        "evaluation": standard_artifacts.ModelEvaluation,  # the Evaluator's results
        "evaluator_blessing": standard_artifacts.ModelBlessing,  # the Evaluator's decision
    }
    OPTIONAL_INPUTS = {
        "forced_blessing": standard_artifacts.ModelBlessing,  # an earlier forced blessing of the same evaluation
        "withdrawal": standard_artifacts.ModelBlessing,  # the rollback that took this model out of service
        "features": Features,  # the feature space, with the accuracy of a classifier of the labels
        "last_blessing": standard_artifacts.ModelBlessing,  # that of the last blessed model, with the accuracy then
        "quality": Quality,  # SampleQuality's figures for new pictures
    }
    PARAMETERS = {
        "who": Parameter(str, ""),  # the person who requests a blessing, as user@host
        "why": Parameter(str, ""),  # the reason; empty for no request
        # Allowed drop of the labels' accuracy, 0 to 1; None: no check.
        "max_label_accuracy_drop": Parameter(float, None),
        # Allowed drop of the ELBO below the best earlier model, accumulated over models that were each judged by the previous one,
        # nats per picture; None: no check.
        "max_drop": Parameter(float, None),
        "picture_limits": Parameter(PictureLimits, PictureLimits()),  # on the distance of new pictures from held-out ones
        "code": Parameter(str, ""),  # hash of the code, for the cache
    }
    OUTPUTS = {"blessing": standard_artifacts.ModelBlessing}
