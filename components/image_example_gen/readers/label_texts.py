"""Labels that are whole numbers, by name."""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import InputError
from components.image_example_gen.storage.files import printable


def check_label_names(path: str, lowest: int, largest: int, names: Sequence[str]) -> None:
    """Check that `data.label_names`, where it is given, names the labels from `lowest` to `largest`.

    Args:
        path: The file that holds them, for the message.
        lowest: The lowest of its labels.
        largest: The largest.
        names: What `data.label_names` says; empty where it says nothing.

    Raises:
        InputError: It names some of them only.
    """
    if not names or 0 <= lowest <= largest < len(names):
        return
    shown = str(largest if lowest >= 0 else lowest)
    shown = shown if len(shown) <= 20 else f"{shown[:17]}..."
    where = printable(path)
    where = where if len(where) <= 80 else f"...{where[-77:]}"
    raise InputError(
        f"{where} holds the label {shown}, but data.label_names names only {len(names)} (0 to {len(names) - 1}): "
        "name them all, or none"
    )
