"""What to bring pictures to, and with which network, where the configuration does not say: a look at some of them tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from PIL import Image

from components.image_example_gen.files import open_file, join
from components.image_example_gen.sources import Sources, find_sources

LOOKED_AT = 200  # pictures, evenly spread; their headers are read
NATIVE_SIZE = 64  # pictures up to this side keep their own size; a larger model takes hours on a CPU
DEFAULT_SIZE = 32
DENSE_VALUES = 32 * 32  # up to so many values the dense network is the better one per second


def complete(values: Mapping[str, Any], images: str) -> dict[str, Any]:
    """Fills in size, channels and network where the configuration leaves them open.

    Args:
        values: The configuration's values, unvalidated; those that it has are kept.
        images: The folder of pictures.

    Returns:
        The values with `preprocessing.height`, `.width` and `.channels` and `model.network`.

    Raises:
        InputError: There are no pictures.
    """
    preprocessing, model = dict(values.get("preprocessing") or {}), dict(values.get("model") or {})
    if not {"height", "width", "channels"} <= preprocessing.keys():
        height, width, channels = look(find_sources(images))
        preprocessing = {"height": height, "width": width, "channels": channels, **preprocessing}
    if "network" not in model:
        size = [preprocessing[key] for key in ("height", "width", "channels")]
        small = all(isinstance(n, int) for n in size) and size[0] * size[1] * size[2] <= DENSE_VALUES
        model["network"] = "dense" if small else "convolutional"
    return {**values, "preprocessing": preprocessing, "model": model}


def look(sources: Sources) -> tuple[int, int, int]:
    """The height, width and channels to bring pictures to: their own where they are small and alike, grey where all are."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for idx in sources.idx:
        sizes[idx.shape[1:3]] += idx.shape[0]
        grey &= len(idx.shape) == 3 or idx.shape[3] == 1
    step = max(1, len(sources.pictures) // LOOKED_AT)
    for path in sources.pictures[::step]:
        try:
            with open_file(join(sources.folder, path)) as file, Image.open(file) as picture:
                sizes[picture.height, picture.width] += 1
                grey &= picture.mode in ("1", "L", "LA", "I", "I;16")
        except Exception:  # whatever is wrong with it, ingestion will say it better
            continue
    alike = len(sizes) == 1 and max(next(iter(sizes))) <= NATIVE_SIZE
    height, width = next(iter(sizes)) if alike else (DEFAULT_SIZE, DEFAULT_SIZE)
    return height, width, 1 if grey and sizes else 3
