"""Find the explorer's page of a pushed model, or make one from the model alone."""

from __future__ import annotations

import json
from pathlib import Path

from common.errors import InputError, one_line
from serving.explorer.page import Explorer, lead, render
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
    verify(model)
    try:
        about = json.loads((model / "model.json").read_text(encoding="utf-8"))
        program, weights = read_program(str(model))
    except FileNotFoundError:
        raise InputError(f"the model in {model} has no decoder that a page can run: train it anew") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the model in {model} is damaged ({one_line(error)}): push it again") from error
    sentence = lead(about.get("network", ""), program["latent_dim"], about.get("pictures", {}).get("train", 0))
    return render(Explorer(about.get("title") or model.name, program, weights, sentence))


def _version(run: Path) -> str:
    """Return the version that a run pushed, or ''."""
    try:
        return str(json.loads((run / "verdict.json").read_text(encoding="utf-8"))["model"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
