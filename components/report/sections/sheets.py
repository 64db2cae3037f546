"""Sheets of the model's pictures: generated, reconstructed, interpolated, and near-copies of training pictures."""

from __future__ import annotations

from typing import Any

from components.report.data import ReportData
from components.report.drawing.pictures import fitting_rows, fitting_uris, has

GENERATED_BUDGET = 440_000  # bytes of PNG
PAIRS_BUDGET = 260_000
NEAREST_BUDGET = 260_000
INTERPOLATION_BUDGET = 260_000
COPIES_BUDGET = 200_000


def generated(report: ReportData) -> dict[str, Any]:
    """Return the contact sheet of generated pictures."""
    pictures = report.answers.generated
    if not has(pictures):
        return {"uris": []}
    near = fitting_uris(list(report.neighbors), NEAREST_BUDGET) if has(report.neighbors) else []
    return {"uris": fitting_uris(list(pictures), GENERATED_BUDGET), "near": near, "shape": pictures.shape[1:]}


def by_label(report: ReportData) -> dict[str, Any] | None:
    """Return new pictures of each label in rows; None for an unconditional model."""
    samples = report.answers.by_label
    if not samples:
        return None
    uris = fitting_rows([row.pictures for row in samples], GENERATED_BUDGET)
    return {"rows": list(zip((row.label for row in samples), uris)), "shape": samples[0].pictures.shape[1:]}


def denoising(report: ReportData) -> dict[str, Any] | None:
    """Return corrupted held-out pictures, denoised ones and originals; None if the model was not trained to denoise."""
    examples = report.training.denoising
    if examples is None:
        return None
    names = (f"corrupted ({examples.corruption.replace('_', ' ')}, {examples.level:g})", "denoised", "original")
    uris = fitting_rows([examples.corrupted, examples.denoised, examples.clean], PAIRS_BUDGET)
    return {
        "rows": list(zip(names, (examples.corrupted_psnr, examples.denoised_psnr, None), uris)),
        "shape": examples.clean.shape[1:],
    }


def reconstructions(report: ReportData) -> dict[str, Any]:
    """Return held-out pictures above their reconstructions."""
    answers = report.answers
    if not (has(answers.originals) and has(answers.reconstructions)):
        return {"pairs": []}
    originals, rebuilt = fitting_rows([answers.originals, answers.reconstructions], PAIRS_BUDGET)
    labels = answers.labels or [""] * len(originals)
    return {"pairs": list(zip(originals, rebuilt, labels)), "shape": answers.originals.shape[1:]}


def interpolation(report: ReportData) -> dict[str, Any]:
    """Return interpolations between held-out pictures; a slider moves along the first pair."""
    interpolations = report.answers.interpolations
    rows = []
    for pair in interpolations:
        ends, frames = fitting_rows([pair.ends, pair.frames], INTERPOLATION_BUDGET // len(interpolations))
        rows.append({"ends": ends, "frames": frames, "labels": pair.labels})
    return {"rows": rows, "shape": interpolations[0].frames.shape[1:] if interpolations else None}


def copies(report: ReportData) -> dict[str, Any] | None:
    """Return some of the near-copies; None if they were not counted."""
    if report.quality is None or report.quality.copies is None:
        return None
    uris = fitting_rows([(pair.generated, pair.training) for pair in report.copies], COPIES_BUDGET)
    return {
        "pairs": [(pair, *both) for pair, both in zip(report.copies, uris)],
        "shape": report.copies[0].training.shape if report.copies else None,
    }
