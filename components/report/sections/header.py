"""The header of the page: the run, its outcome, the key figures."""

from __future__ import annotations

from typing import Any, NamedTuple

from components.report.data import Figures, ReportData
from components.report.drawing.formatting import count, duration, nats, number
from components.report.drawing.pictures import aspect, fitting_uris, has
from components.report.sections.verdict import judge

PRINT_BUDGET = 90_000  # bytes of PNG
PRINT_PICTURES = 16


class Change(NamedTuple):
    """The difference from the last blessed model: its style (`better`, `worse` or `same`), and its text."""

    style: str
    text: str


class Figure(NamedTuple):
    """A key figure; `remark` is shown if there is no `change`."""

    name: str
    value: str
    unit: str
    remark: str
    change: Change | None = None


def header(report: ReportData) -> dict[str, Any]:
    """Return the verdict, some generated pictures, and the key figures."""
    pictures, prints = report.answers.generated, []
    if has(pictures):
        shown = PRINT_PICTURES // 2 if aspect(pictures.shape[1:]) == "tall" else PRINT_PICTURES
        prints = fitting_uris(list(pictures[:shown]), PRINT_BUDGET)
    return {"verdict": judge(report), "prints": prints, "figures": _key_figures(report)}


def _key_figures(report: ReportData) -> list[Figure]:
    model, now, before = report.model, report.held_out, report.evaluation.baseline
    bits = report.bits_per_dimension
    samples = f"{number(model.importance_samples)} samples" if model.importance_samples else "tighter than the ELBO"
    splits = report.data.pictures or model.pictures
    total = sum(report.data.pictures.values()) or sum(model.pictures.values())
    best = f", best {model.best_epoch}" if model.best_epoch else ""
    parameters = sum(model.parameters.values())
    remarks = {
        "elbo": ("Held-out ELBO", f"{number(bits, 3)} bits per dimension" if bits is not None else "higher is better"),
        "reconstruction": ("Reconstruction", "lower is better"),
        "kl": ("KL divergence", "information in the code"),
        "importance_weighted": ("Importance-weighted", samples),
    }
    return [
        *(
            Figure(name, nats(getattr(now, term)), "nats", text, change(now, before, term))
            for term, (name, text) in remarks.items()
        ),
        Figure("Pictures", number(total), "", " · ".join(f"{number(n)} {split}" for split, n in splits.items())),
        Figure("Training", *_split_unit(duration(model.seconds)), f"{count(model.epochs, 'epoch')}{best}" if model.epochs else ""),
        Figure("Speed", number(model.images_per_second), "images/s", "in training"),
        Figure(
            "Latent space",
            number(model.latent_dim),
            "dimensions" if model.latent_dim != 1 else "dimension",
            f"{model.network}, {number(parameters)} parameters" if parameters else model.network,
        ),
    ]


def change(now: Figures, before: Figures | None, term: str) -> Change | None:
    """Return the difference from the last blessed model on the same pictures, marked better or worse if that has a meaning."""
    new, old = getattr(now, term), getattr(before, term, None)
    if new is None or old is None:
        return None
    difference = new - old
    gain = {"elbo": difference, "importance_weighted": difference, "reconstruction": -difference}.get(term, 0.0)
    arrow = "▲ " if difference > 0 else "▼ " if difference < 0 else ""
    return Change("better" if gain > 0 else "worse" if gain < 0 else "same", f"{arrow}{nats(difference, sign=True)}")


def _split_unit(text: str) -> tuple[str, str]:
    """Split the unit from a short duration such as `0.8 s`; keep longer durations whole."""
    parts = text.split(" ")
    return (parts[0], parts[1]) if len(parts) == 2 else (text, "")
