"""Write the explorer's page: one file with the decoder, codes and pictures, which needs no network and no server."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.explorer.bundle import bundle
from serving.grids import to_image

FOLDER = Path(__file__).with_name("page")
SHEET_BYTES = 1_000_000  # of each of the two sheets of pictures: with a decoder of 2 MB the page stays below 5 MB

FOOTER = "The decoder itself is in this file: nothing is loaded, and nothing leaves the page."
SERVED_FOOTER = "The decoder itself is in this page. Your own pictures go to the server of this page alone, which keeps none."
MAX_LABELS = 24  # of the legend, the most common ones


@dataclass(frozen=True)
class HeldOut:
    """Codes of pictures that the model was not trained on.

    Attributes:
        codes: float [n, latent_dim].
        labels: A label for each, '' for none.
        thumbnails: uint8 [n, h, w, c].
    """

    codes: np.ndarray
    labels: Sequence[str]
    thumbnails: np.ndarray


@dataclass(frozen=True)
class Explorer:
    """What the page shows.

    Attributes:
        title: Name of the data set.
        program: The decoder, from the model's `program/program.json`.
        weights: Its weights, from `program/weights.bin`.
        lead: A sentence below the title.
        held_out: Codes for the map. Without them the page draws its own.
        training: Training pictures to find the nearest among, uint8 [n, h, w, c]; None for none.
        training_total: Number of all training pictures.
        activity: KL divergence of each dimension, nats, to choose the sliders; None: by the spread of the codes.
    """

    title: str
    program: dict[str, Any]
    weights: bytes
    lead: str = ""
    held_out: HeldOut | None = None
    training: np.ndarray | None = None
    training_total: int = 0
    activity: Sequence[float] | None = None


def render(explorer: Explorer) -> str:
    """Return the page as HTML. Its policy allows this very script and style, and no request."""
    data = {
        "program": explorer.program,
        "lead": explorer.lead,
        "activity": None if explorer.activity is None else [round(float(value), 4) for value in explorer.activity],
        "held_out": _held_out(explorer),
        "training": _training(explorer),
    }
    return _document(html.escape(explorer.title or "Pictures"), data, base64.b64encode(explorer.weights).decode())


def render_again(page: str, *, api: dict[str, Any] | None = None, beside: dict[str, Any] | None = None) -> str:
    """Return a page with today's script and more than it had.

    Args:
        page: What `render` returned, for this or an earlier version of the script.
        api: For a server that answers about pictures: what the script needs to know of it, see `view/own.mjs`. Requests to the page's own
            server are then allowed.
        beside: A second decoder, from `second_decoder`; None for none, or for what the page has already.

    Raises:
        ValueError: The page is not one of `render`.
    """
    parts = [
        re.search(pattern, page, re.DOTALL)
        for pattern in (r"<h1>(.*?)</h1>", r'id="data">(.*?)</script>', r'id="weights">(.*?)</script>')
    ]
    if None in parts:
        raise ValueError("the page is not an explorer's")
    title, text, weights = (part[1] for part in parts if part)
    data = json.loads(text)
    if beside is not None:
        data["beside"] = beside
    if api is not None:
        data["api"] = api
    return _document(title, data, weights, "" if api is None else "connect-src 'self'; ")


def second_decoder(name: str, program: dict[str, Any], weights: bytes) -> dict[str, Any]:
    """Return a decoder to show the same codes with, beside the page's own. `name` is that of its version."""
    return {"name": name, "program": program, "weights": base64.b64encode(weights).decode()}


def render_pictures(title: str, lead: str, reason: str, sheets: Mapping[str, np.ndarray]) -> str:
    """Return a page of pictures alone, for a decoder that no page can hold. Its policy allows no script.

    Args:
        title: Name of the data set.
        lead: A sentence below the title.
        reason: Why the page holds no decoder.
        sheets: Pictures by their caption, uint8 [n, h, w, c].
    """
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    shown = [
        f'<section><h2>{html.escape(name)}</h2><img src="{_sheet(pictures)["uri"]}" alt="{html.escape(name)}"></section>'
        for name, pictures in sheets.items()
        if len(pictures)
    ]
    values = {
        "policy": f"default-src 'none'; style-src '{_hash(style)}'; img-src data:; base-uri 'none'; form-action 'none'",
        "title": html.escape(title or "Pictures"),
        "style": style,
        "lead": html.escape(lead),
        "reason": html.escape(reason),
        "sections": "".join(shown),
    }
    return _filled("pictures.html", values)


def _document(title: str, data: dict[str, Any], weights: str, allowed: str = "") -> str:
    """Return the page of an escaped title, the data, and weights in base64. `allowed` is a part of its policy."""
    script, style = bundle(FOLDER / "main.mjs"), (FOLDER / "style.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data: blob:; worker-src blob:; {allowed}"
        "base-uri 'none'; form-action 'none'"
    )
    values = {
        "footer": SERVED_FOOTER if allowed else FOOTER,
        "policy": policy,
        "title": title,
        "style": style,
        "script": script,
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "weights": weights,
    }
    return _filled("index.html", values)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its `{{ names }}` replaced by values, which are HTML."""
    parts = (FOLDER / template).read_text(encoding="utf-8").split("{{ ")
    return parts[0] + "".join(values[name] + rest for name, rest in (part.split(" }}", 1) for part in parts[1:]))


def lead(network: str, latent_dim: int, pictures: int) -> str:
    """Return a sentence about a model that was trained on a number of pictures, 0 if unknown.

    Example:
        >>> lead("dense", 2, 1423)
        'A dense variational autoencoder that describes each picture by 2 numbers, trained on 1,423 pictures.'
    """
    article = "An" if network[:1] in tuple("aeiou") else "A"
    trained = f", trained on {pictures:,} pictures" if pictures else ""
    numbers = "1 number" if latent_dim == 1 else f"{latent_dim} numbers"
    return f"{article} {network} variational autoencoder that describes each picture by {numbers}{trained}."


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _held_out(explorer: Explorer) -> dict[str, Any] | None:
    held_out = explorer.held_out
    if held_out is None or not len(held_out.codes):
        return None
    sheet = _sheet(held_out.thumbnails)
    count = sheet["count"]
    labels = [str(label) for label in held_out.labels[:count]]
    known = explorer.program["labels"]
    names = sorted(name for name, _ in Counter(sorted(filter(None, labels))).most_common(MAX_LABELS))
    index = {name: i for i, name in enumerate(names)}
    codes = np.clip(np.nan_to_num(held_out.codes[:count]), -60000, 60000).astype("<f2")
    return {
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "labels": [index.get(label, -1) for label in labels],
        "names": names,
        "model_labels": [known.index(label) if label in known else -1 for label in labels] if known else None,
        "sheet": sheet,
    }


def _training(explorer: Explorer) -> dict[str, Any] | None:
    if explorer.training is None or not len(explorer.training):
        return None
    return {"sheet": _sheet(explorer.training), "total": explorer.training_total}


def _sheet(pictures: np.ndarray) -> dict[str, Any]:
    """Return pictures, uint8 [n, h, w, c], as one PNG of at most `SHEET_BYTES`: the first ones, if all are too many."""
    count, (height, width) = len(pictures), pictures.shape[1:3]
    while True:
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        sheet = np.zeros((rows * columns, *pictures.shape[1:]), np.uint8)
        sheet[:count] = pictures[:count]
        joined = sheet.reshape(rows, columns, height, width, -1).swapaxes(1, 2).reshape(rows * height, columns * width, -1)
        buffer = io.BytesIO()
        to_image(joined).save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
        if len(content) <= SHEET_BYTES or count == 1:
            break
        count = max(1, min(count - 1, int(0.95 * count * SHEET_BYTES / len(content))))
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return {"uri": uri, "columns": columns, "size": [height, width], "count": count}
