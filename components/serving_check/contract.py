"""The signatures that every exported model must have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """A signature of the contract."""

    inputs: tuple[str, ...]  # required input names; further inputs are allowed
    outputs: tuple[str, ...]  # required output names; further outputs are allowed, and are checked if golden answers have them
    # The scalar input that sets the number of returned pictures; None if the signature answers row by row
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

# Optional signatures: if the export or the golden answers have one, it is checked like the others.
OPTIONAL = {
    "generate_prior": SIGNATURES["generate"],
    "decode_label": Signature(("latents", "label"), ("images",)),
    "encode_label": Signature(("image_bytes",), ("mean", "log_variance", "label")),
}


def expected_of(answered: Iterable[str]) -> dict[str, Signature]:
    """Return the signatures to check for a model with signatures or answers of the given names."""
    return {**SIGNATURES, **{name: signature for name, signature in OPTIONAL.items() if name in set(answered)}}
