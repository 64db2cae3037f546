"""Near-copies: new pictures that repeat training pictures, each beside its original."""

from __future__ import annotations

import os

from components.report.data import CopyPair, ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_uris
from components.report.drawing.wording import count, number, percent, significant
from components.report.sections.layout import Section, aspect, note, picture
from components.sample_quality.figures import Copies

BUDGET = 200_000  # bytes of PNG


def copies(report: ReportData) -> Section | None:
    """Return the number of near-copies among the new pictures, and some of them; None if not measured."""
    found = report.quality.copies if report.quality else None
    if found is None:
        return None
    return Section(
        "copies",
        "Copies",
        "Learned by heart?",
        "A model that repeats its training pictures has made nothing new. Each new picture was compared with its nearest training "
        "picture: a near-copy lies far nearer to it than held-out pictures lie to theirs.",
        fragment(_counted(found), _shown(report.copies) if found.count else note("None of the new pictures is a near-copy.")),
    )


def _counted(found: Copies) -> Html:
    are = "is a near-copy" if found.count == 1 else "are near-copies"
    return tag(
        "p",
        tag("b", number(found.count)),
        f" of {count(found.pictures, 'new picture')} ({percent(found.share)}) {are} of a training picture. By the same rule ",
        tag("b", percent(found.floor)),
        " of the held-out pictures are, which nobody copied. New pictures lie ",
        tag("b", significant(found.nearest_ratio, 2), " times"),
        " as far from the nearest training picture as held-out ones do (median).",
        class_="key-line",
    )


def _shown(pairs: list[CopyPair]) -> Html | None:
    if not pairs:
        return None
    uris = fitting_uris([shown for pair in pairs for shown in (pair.generated, pair.training)], BUDGET)
    items = [_pair(pair, uris[2 * i], uris[2 * i + 1]) for i, pair in enumerate(pairs)]
    return fragment(
        tag("p", tag("b", "Above"), " the new picture, ", tag("b", "below"), " the training picture.", class_="key-line"),
        tag("ul", items, class_=f"pairs {aspect(pairs[0].training.shape)}"),
    )


def _pair(pair: CopyPair, generated: str, training: str) -> Html:
    shape = pair.training.shape
    return tag(
        "li",
        picture(generated, f"new picture, a near-copy of {pair.path}", shape),
        picture(training, f"training picture {pair.path}", shape),
        tag("span", os.path.basename(pair.path) or "training picture", title=f"{pair.path}, distance {pair.distance:.2g}"),
    )
