"""What the configuration leaves open: a look at the pictures tells their size, which network, and how long to train."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from PIL import Image

from components.image_example_gen.files import join, open_file
from components.image_example_gen.sources import Sources, find_sources

LOOKED_AT = 200  # pictures, evenly spread; their headers are read
NATIVE_SIZE = 64  # pictures up to this side keep their own size; a larger model takes hours on a CPU
DEFAULT_SIZE = 32
DENSE_VALUES = 32 * 32  # up to so many values the dense network is the better one per second
FEW_PICTURES = 3000  # below, small batches: a few hundred pictures make too few steps otherwise
STEPS, MOST_EPOCHS, LEAST_EPOCHS = 5000, 200, 20  # how long to train: about so many steps, within these bounds


def complete(values: Mapping[str, Any], images: str) -> dict[str, Any]:
    """Fills in size, channels, network, batch size and epochs where the configuration leaves them open.

    Args:
        values: The configuration's values, unvalidated; those that it has are kept.
        images: The folder of pictures.

    Returns:
        The values, with none of these open.

    Raises:
        InputError: There are no pictures.
    """
    sections = {name: dict(values.get(name) or {}) for name in ("preprocessing", "model", "training")}
    preprocessing, model, training = sections.values()
    # Listing many files takes its time: only where there is something to look for.
    if not ({"height", "width", "channels"} <= preprocessing.keys() and {"batch_size", "epochs"} <= training.keys()):
        sources = find_sources(images)
        height, width, channels = look(sources)
        sections["preprocessing"] = preprocessing = {"height": height, "width": width, "channels": channels, **preprocessing}
        training.setdefault("batch_size", 32 if sources.count < FEW_PICTURES else 128)
        training.setdefault("epochs", epochs_for(sources.count, training["batch_size"]))
    size = [preprocessing[key] for key in ("height", "width", "channels")]
    model.setdefault("network", "dense" if math.prod(size) <= DENSE_VALUES else "convolutional")
    return {**values, **sections}


def epochs_for(pictures: int, batch_size: int) -> int:
    """Epochs that make about `STEPS` steps."""
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS * batch_size / pictures)))


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
