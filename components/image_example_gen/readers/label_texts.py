"""Check names for integer labels."""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import InputError
from components.image_example_gen.storage.files import printable


def check_label_names(path: str, lowest: int, largest: int, names: Sequence[str]) -> None:
    """Check that `data.label_names`, if it is set, names the labels from `lowest` to `largest`.

    Args:
        path: The file with the labels, for the message.
        lowest: The lowest of its labels.
        largest: The largest of its labels.
        names: The value of `data.label_names`; empty if not set.

    Raises:
        InputError: `names` is set, but does not name all labels.
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
