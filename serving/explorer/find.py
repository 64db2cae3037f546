"""Find the explorer's page of a pushed model, or make one from the model alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from common.errors import InputError, one_line
from serving.explorer.page import Explorer, lead, render, render_again, second_decoder
from serving.explorer.program import read_program
from serving.manifest import verify

PAGE = "report/explorer.html"  # in a run's folder


def page_of(model: Path, work: Path | None) -> str:
    """Return the page of a model's folder: of the run that pushed it, if `work` still has its report, else without pictures.

    Raises:
        InputError: The model is broken, or has no decoder that a page can run.
    """
    if work is not None:
        for run in sorted((work / "runs").glob("*/"), reverse=True):
            page = run / PAGE
            if page.is_file() and _version(run) == model.name:
                return page.read_text(encoding="utf-8")
    about, program, weights = read_decoder(model)
    sentence = lead(about.get("network", ""), program["latent_dim"], about.get("pictures", {}).get("train", 0))
    return render(Explorer(about.get("title") or model.name, program, weights, sentence))


def with_beside(page: str, model: Path, other: Path) -> str:
    """Return the page of a model with a second decoder, that of `other`, which shows the same codes.

    Raises:
        InputError: A model is broken, has no decoder that a page can run, or takes other codes or labels.
    """
    (_, own, _), (_, program, weights) = read_decoder(model), read_decoder(other)
    for name, what in (("latent_dim", "latent dimensions"), ("labels", "labels")):
        if own[name] != program[name]:
            raise InputError(f"versions {model.name} and {other.name} cannot be shown side by side: they have other {what}")
    try:
        return render_again(page, beside=second_decoder(other.name, program, weights))
    except ValueError:
        raise InputError(f"the decoder of {model} is too large for a page") from None


def read_decoder(model: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return the description of a verified model, its program, and the program's weights.

    Raises:
        InputError: The model is broken, or has no decoder that a page can run.
    """
    verify(model)
    try:
        about = json.loads((model / "model.json").read_text(encoding="utf-8"))
        return about, *read_program(str(model))
    except FileNotFoundError:
        raise InputError(f"the model in {model} has no decoder that a page can run: train it anew") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the model in {model} is damaged ({one_line(error)}): push it again") from error


def _version(run: Path) -> str:
    """Return the version that a run pushed, or ''."""
    try:
        return str(json.loads((run / "verdict.json").read_text(encoding="utf-8"))["model"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
