"""Judge the pictures that a model generates: against held-out ones, and against those of the last blessed model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from components.evaluation.results import MARGIN
from components.model_gate.config import PictureLimits
from components.sample_quality.figures import Quality, comparable

STANDARD_ERRORS = 3.0  # of the difference of two shares: with few pictures they differ by chance


@dataclass(frozen=True)
class PictureJudgement:
    """The judgment of new pictures by their figures."""

    failures: list[str] = dataclasses.field(default_factory=list)  # one sentence for each missed bound
    # One sentence for each bound that was set but could not be applied
    unjudged: list[str] = dataclasses.field(default_factory=list)
    # log(Frechet distance over that of the last blessed model's pictures), both measured in the same run; None if they were not
    # compared
    rise: float | None = None


def judge_pictures(quality: Quality | None, limits: PictureLimits, rise_before: float = 0.0) -> PictureJudgement:
    """Judge the figures of new pictures. Missing figures do not refuse a model.

    Args:
        quality: SampleQuality's figures; None if it did not run.
        limits: The bounds.
        rise_before: The rise of the last blessed model above the best of its row, from `accumulated_rise`.
    """
    if all(bound is None for bound in dataclasses.astuple(limits)) or quality is None:
        return PictureJudgement()
    if quality.generated is None:
        return PictureJudgement(unjudged=[f"new pictures were not judged: {quality.reason or 'there are no figures'}"])
    unjudged = list(_unmeasured(quality, limits))
    failures = [
        *_blurred(quality, limits.min_high_frequencies),
        *_low_coverage(quality, limits.min_coverage),
        *_frechet_rise(quality, limits.max_frechet_rise),
        *_accumulated_frechet_rise(quality, limits.max_frechet_rise, rise_before),
        *_distinguishable(quality, limits.max_two_sample),
        *_copied(quality, limits.max_copies),
    ]
    return PictureJudgement(failures, unjudged, _rise(quality))


def accumulated_rise(before: float, rise: float | None) -> float:
    """Return how far a model's Frechet distance is above the best in its row, as the logarithm of their ratio; at minimum 0.

    Each model of the row was measured together with the previous one on the same pictures. The differences are summed: `before` is
    the sum up to the last blessed model, `rise` is log(Frechet distance over that model's); None begins a new row.
    """
    return 0.0 if rise is None else max(0.0, before + rise)


def _rise(quality: Quality) -> float | None:
    now, before = quality.generated, quality.baseline
    if not comparable(now, before) or now.frechet_distance <= 0 or before.frechet_distance <= 0:
        return None
    return math.log(now.frechet_distance / before.frechet_distance)


def _unmeasured(quality: Quality, limits: PictureLimits) -> Iterator[str]:
    """Yield the bounds without a figure: earlier versions' files lack some, and distances on other features are not comparable."""
    made, before = quality.generated, quality.baseline
    if limits.max_frechet_rise is not None and before is not None and not comparable(made, before):
        yield "evaluation.max_frechet_rise was not judged: the last blessed model's pictures were measured with other features"
    figures = {
        "min_high_frequencies": made.high_frequencies,
        "min_coverage": quality.rebuilt,
        "max_two_sample": made.two_sample,
        "max_copies": quality.copies,
    }
    for name, figure in figures.items():
        if getattr(limits, name) is not None and figure is None:
            yield f"evaluation.{name} was not judged: its figure was not measured"


def _blurred(quality: Quality, minimum: float | None) -> Iterator[str]:
    sharpness = quality.generated.high_frequencies
    if minimum is not None and sharpness is not None and sharpness < minimum:
        yield (
            f"new pictures are blurred: {_percent(sharpness)} of the fine detail of held-out ones; "
            f"the minimum is {_percent(minimum)} (evaluation.min_high_frequencies); train longer"
        )


def _low_coverage(quality: Quality, minimum: float | None) -> Iterator[str]:
    """Yield the reason to refuse a model whose codes are drawn from regions with few pictures' codes, even if its decoder is good."""
    made, rebuilt = quality.generated, quality.rebuilt
    if minimum is not None and comparable(made, rebuilt) and made.coverage < minimum * rebuilt.coverage:
        yield (
            f"new pictures cover {_percent(made.coverage)} of the held-out ones, reconstructions {_percent(rebuilt.coverage)}; "
            f"the minimum is {_percent(minimum * rebuilt.coverage)} (evaluation.min_coverage); see generation.density"
        )


def _frechet_rise(quality: Quality, maximum: float | None) -> Iterator[str]:
    made, before = quality.generated, quality.baseline
    if maximum is None or not comparable(made, before):
        return
    noise = MARGIN * quality.spread.frechet_distance if quality.spread else 0.0
    rise, allowed = made.frechet_distance - before.frechet_distance, maximum * before.frechet_distance + noise
    if rise > allowed:
        yield (
            f"new pictures are worse: Frechet distance {made.frechet_distance:.4g}, {rise:.3g} above the last blessed model's; "
            f"{allowed:.3g} is allowed (evaluation.max_frechet_rise); train longer"
        )


def _accumulated_frechet_rise(quality: Quality, maximum: float | None, rise_before: float) -> Iterator[str]:
    """Yield the reason to refuse a model that is within the allowed rise over the last model, but not over the best one."""
    rise = _rise(quality)
    if maximum is None or rise is None or any(_frechet_rise(quality, maximum)):
        return
    spread = quality.spread.frechet_distance / quality.baseline.frechet_distance if quality.spread else 0.0
    total, allowed = math.expm1(accumulated_rise(rise_before, rise)), maximum + MARGIN * spread
    if rise_before > 0 and total > allowed:
        yield (
            f"new pictures got worse from model to model: Frechet distance {total:.0%} above the best model's; "
            f"{allowed:.0%} is allowed in total (evaluation.max_frechet_rise); train longer"
        )


def _distinguishable(quality: Quality, maximum: float | None) -> Iterator[str]:
    made = quality.generated
    if maximum is not None and made.two_sample is not None and made.two_sample > maximum:
        yield (
            f"a classifier recognizes new pictures with {made.two_sample:.1%} accuracy (50% by chance); "
            f"{_percent(maximum)} is allowed (evaluation.max_two_sample); train longer"
        )


def _copied(quality: Quality, maximum: float | None) -> Iterator[str]:
    copies = quality.copies
    if maximum is None or copies is None:
        return
    error = math.hypot(_standard_error(copies.share, copies.pictures), _standard_error(copies.floor, copies.pictures))
    if copies.share - copies.floor > maximum + STANDARD_ERRORS * error:
        yield (
            f"{_percent(copies.share)} of new pictures are near-copies of training pictures, {_percent(copies.floor)} of held-out ones; "
            f"{_percent(maximum)} more is allowed (evaluation.max_copies); add dropout"
        )


def _standard_error(share: float, pictures: int) -> float:
    return math.sqrt(share * (1 - share) / max(pictures, 1))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
