"""Apply matrix and tone curve profiles to 16-bit levels; Pillow's color management has 8 bits (ICC.1:2010, 8.3, 10.5, 10.15)."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]
# The primaries of sRGB, adapted to D50 as in profiles (IEC 61966-2-1; Bradford).
_SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


def apply_matrix(levels: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Convert levels, uint16 [height, width, 1 to 4 channels], to sRGB. The last of 2 or 4 channels is alpha.

    Return None if the color profile is not of this kind, or is for other channels.
    """
    parsed = _parsed(profile)
    channels = levels.shape[2]
    colors = channels - 1 + channels % 2
    if parsed is None or len(parsed[0]) != colors:
        return None
    curves, matrix = parsed
    converted = levels.copy()
    for row in converted:
        linear = np.stack([curve(row[:, c] / 65535.0) for c, curve in enumerate(curves)], axis=1)
        row[:, :colors] = np.rint(65535 * _encoded(np.clip(linear @ matrix.T, 0.0, 1.0)))
    return converted


def _encoded(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)


@functools.lru_cache(maxsize=16)
def _parsed(profile: bytes) -> tuple[list[Curve], np.ndarray] | None:
    """Return the curves to linear light and the matrix to linear sRGB; None if the profile does not have them."""
    try:
        count = struct.unpack_from(">I", profile, 128)[0]
        tags = {}
        for number in range(min(count, 100)):
            name, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            tags[name] = profile[at : at + size]
        if b"A2B0" in tags or profile[20:24] != b"XYZ ":
            return None
        if profile[16:20] == b"GRAY":
            return [_curve(tags[b"kTRC"])], np.eye(1)
        primaries = np.stack([np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")])
        return [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")], np.linalg.solve(_SRGB, primaries.T)
    except (struct.error, KeyError, ValueError, np.linalg.LinAlgError):
        return None


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _formula(tag)
    count = struct.unpack_from(">I", tag, 8)[0]
    if tag[:4] != b"curv" or count > 65536:
        raise ValueError("not a curve")
    points = np.array(struct.unpack_from(f">{count}H", tag, 12))
    if count < 2:
        gamma = points[0] / 256 if count else 1.0
        return lambda x: np.power(x, gamma)
    places = np.linspace(0.0, 1.0, count)
    return lambda x: np.interp(x, places, points / 65535)


def _formula(tag: bytes) -> Curve:
    names = _PARAMETERS[struct.unpack_from(">H", tag, 8)[0]]
    numbers = struct.unpack_from(f">{len(names)}i", tag, 12)
    p = dict.fromkeys("abcdef", 0.0) | {"a": 1.0} | {name: number / 65536 for name, number in zip(names, numbers)}
    if len(names) == 3:
        return lambda x: np.power(np.maximum(p["a"] * x + p["b"], 0.0), p["g"])
    if len(names) == 4:
        return lambda x: np.power(np.maximum(p["a"] * x + p["b"], 0.0), p["g"]) + p["c"]
    curved = lambda x: np.power(np.maximum(p["a"] * x + p["b"], 0.0), p["g"]) + p["e"]  # noqa: E731
    return lambda x: np.where(x >= p["d"], curved(x), p["c"] * x + p["f"]) if len(names) > 1 else np.power(x, p["g"])
