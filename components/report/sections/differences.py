"""Compare two models: figures with the noise of training, and what changed in data, configuration and code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from components.report.beside import Comparison, Row, Side
from components.report.data import ReportData
from components.report.drawing.formatting import count, listing, nats, number, significant

_FIGURES = {  # name, and the sign of an improvement
    "elbo": ("ELBO", 1),
    "importance_weighted": ("importance-weighted bound", 1),
    "reconstruction": ("reconstruction term", -1),
    "kl": ("KL divergence", 0),
    "gain": ("gain over the mean picture", 1),
}
_QUALITY = {"frechet_distance": ("Frechet distance", -1), "coverage": ("coverage", 1), "high_frequencies": ("high frequencies", 0)}
# Fields that decide what a nat is: figures of models that differ in them cannot be compared.
_PROTOCOL = ("model.likelihood", "model.binarisation", "model.conditional", "preprocessing.", "data.depth")
# Fields that have no influence on the model.
_NO_CHANGE = ("notify.", "mlflow.", "beam.", "cluster.")


def changes(report: ReportData) -> dict[str, Any] | None:
    """Return the comparison with the last blessed model; None if there is none."""
    found = report.changes
    return None if found is None else {"comparison": found, "cells": cells(found), "old": found.old, "new": found.new}


def compare(old: Side, new: Side, same: bool | None = None) -> Comparison:
    """Compare two models. Differences are new minus old.

    `same` says whether both were measured on the same held-out pictures. If it is None, the fingerprints of the pictures decide.
    """
    differing = [*_data_changes(old, new), *_config_changes(old, new), *_code_change(old, new)]
    protocol = [name for kind, name, *_ in differing if kind == "configuration" and name.startswith(_PROTOCOL)]
    rows = [] if protocol else _nat_rows(old, new)
    quality = _quality_rows(old, new)
    same = _same_pictures(old, new) if same is None else same
    sentence, state = _judge(old, new, rows, protocol, same)
    return Comparison(old, new, sentence, state, rows, quality, differing)


def _same_pictures(old: Side, new: Side) -> bool | None:
    """Return whether both were measured on the same held-out pictures; None if that is not known."""
    hashes = [(side.quality.get("generated") or {}).get("held_out_hash") for side in (old, new)]
    if None not in hashes:
        return hashes[0] == hashes[1]
    return old.fingerprint == new.fingerprint if old.fingerprint and new.fingerprint else None


def cells(comparison: Comparison) -> list[tuple[str, str, str, str, str, str]]:
    """Return the rows of the table of figures: name, old, new, difference, noise, and the style of the difference."""
    in_nats = [
        (row.name, nats(row.old), nats(row.new), nats(row.new - row.old, sign=True), _noise(row.noise, 2), row.change)
        for row in comparison.rows
    ]
    of_pictures = [
        (
            row.name,
            significant(row.old),
            significant(row.new),
            number(row.new - row.old, 3, sign=True),
            _noise(row.noise, 3),
            row.change,
        )
        for row in comparison.quality
    ]
    return in_nats + of_pictures


def _noise(noise: float | None, decimals: int) -> str:
    return "not measured" if noise is None else f"± {number(noise, decimals)}"


def _nat_rows(old: Side, new: Side) -> list[Row]:
    spreads = [side.seed_spread for side in (old, new) if side.seed_spread is not None]
    noise = math.sqrt(2) * max(spreads) if spreads else None
    return [
        Row(name, old.figures[key], new.figures[key], noise if key in ("elbo", "importance_weighted", "gain") else None, better)
        for key, (name, better) in _FIGURES.items()
        if key in old.figures and key in new.figures
    ]


def _quality_rows(old: Side, new: Side) -> list[Row]:
    """Return the figures of new pictures. Figures on other features or other held-out pictures cannot be compared."""
    before, now = (side.quality.get("generated") or {} for side in (old, new))
    alike = all(before.get(key) == now.get(key) is not None for key in ("features_hash", "held_out_hash", "pictures"))
    if not alike:
        return []
    spreads = [(side.quality.get("spread") or {}).get("frechet_distance") for side in (old, new)]
    noise = math.hypot(*spreads) if None not in spreads else None
    return [
        Row(name, before[key], now[key], noise if key == "frechet_distance" else None, better)
        for key, (name, better) in _QUALITY.items()
        if before.get(key) is not None and now.get(key) is not None
    ]


def _judge(old: Side, new: Side, rows: Sequence[Row], protocol: Sequence[str], same: bool | None) -> tuple[str, str]:
    """Return the result in words, and its state."""
    if protocol:
        return f"The figures cannot be compared: {listing(list(protocol))} changed, so a nat means something else.", "unknown"
    elbo = next((row for row in rows if row.name == "ELBO"), None)
    if elbo is None:
        missing = [side.name for side in (old, new) if "elbo" not in side.figures]
        return f"The figures cannot be compared: {listing(missing)} has no ELBO.", "unknown"
    gap = f"its ELBO is {nats(abs(elbo.new - elbo.old))} nats {'higher' if elbo.new > elbo.old else 'lower'}"
    on = {True: "", False: " They were measured on different pictures.", None: " Whether the pictures are the same is not known."}
    if elbo.noise is None:
        return (
            f"{_upper(new.name)} beside {old.name}: {gap}; the noise of training was not measured.{on[same]}",
            "unknown",
        )
    noise = f"the noise of training is {nats(elbo.noise)} (one standard deviation of a difference)"
    words = {
        "better": f"{_upper(new.name)} is better than {old.name}",
        "worse": f"{_upper(new.name)} is worse than {old.name}",
        "same": f"{_upper(new.name)} is as good as {old.name}",
    }[elbo.change]
    return f"{words}: {gap}; {noise}.{on[same]}", elbo.change


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _data_changes(old: Side, new: Side) -> list[tuple[str, str, str, str]]:
    counts = [side.data.get("pictures", {}) for side in (old, new)]
    splits = list(dict.fromkeys([*counts[0], *counts[1]]))
    named = [(f"{split} pictures", *(number(part.get(split, 0)) for part in counts)) for split in splits]
    named += [(key, *(number(side.data.get(key, 0)) for side in (old, new))) for key in ("rejected", "duplicates")]
    changes = [("data", name, before, now) for name, before, now in named if before != now]
    labels = [set(side.data.get("labels", ())) for side in (old, new)]
    if labels[0] != labels[1]:
        changes.append(("data", "labels only here", *(_shown(sorted(a - b)) for a, b in (labels, labels[::-1]))))
    if old.fingerprint and new.fingerprint and old.fingerprint != new.fingerprint:
        changes.append(("data", "input files (fingerprint)", old.fingerprint[:12], new.fingerprint[:12]))
    return changes


def _config_changes(old: Side, new: Side) -> list[tuple[str, str, str, str]]:
    names = [name for name in dict.fromkeys([*old.config, *new.config]) if not name.startswith(_NO_CHANGE)]
    return [
        ("configuration", name, _shown(old.config.get(name)), _shown(new.config.get(name)))
        for name in names
        if old.config.get(name) != new.config.get(name)
    ]


def _code_change(old: Side, new: Side) -> list[tuple[str, str, str, str]]:
    if not (old.code and new.code) or old.code == new.code:
        return []
    return [("code", "hash of the trainer's code", old.code[:12], new.code[:12])]


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        text = ", ".join(map(str, value))
        return f"[{text}]" if len(text) <= 60 else f"[{text[:40]} ...], {count(len(value), 'value')}"
    return "not set" if value is None else str(value)
