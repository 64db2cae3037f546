"""What every exported model must answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """A signature of the contract.

    Attributes:
        inputs: Names that it must take; it may take more.
        outputs: Names that it must return; it may return more, which are checked where golden answers have them.
        counted_by: The scalar input that says how many pictures come back; None where it answers row by row.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    counted_by: str | None = None


_DRAWING = ("count", "seed", "temperature")
_BOUNDS = ("elbo", "reconstruction", "kl")

SIGNATURES = {
    "serving_default": Signature(("latents",), ("images",)),
    "generate": Signature(_DRAWING, ("images",), counted_by="count"),
    "generate_png": Signature(_DRAWING, ("png_bytes",), counted_by="count"),
    "encode": Signature(("image_bytes",), ("mean", "log_variance")),
    "reconstruct": Signature(("image_bytes",), ("images",)),
    "interpolate": Signature(("image_bytes", "steps"), ("images",), counted_by="steps"),
    "score": Signature(("image_bytes",), _BOUNDS),
    "evaluate": Signature(("examples",), (*_BOUNDS, "importance_weighted")),
}

# What a model may answer beside; where it does, in its export or in training, it is checked like the others.
OPTIONAL = {
    "generate_prior": SIGNATURES["generate"],
    "decode_label": Signature(("latents", "label"), ("images",)),
    "encode_label": Signature(("image_bytes",), ("mean", "log_variance", "label")),
}


def expected_of(answered: Iterable[str]) -> dict[str, Signature]:
    """The signatures that a model is checked by that answers those of these names."""
    return {**SIGNATURES, **{name: signature for name, signature in OPTIONAL.items() if name in set(answered)}}
