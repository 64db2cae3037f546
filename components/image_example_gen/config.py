"""What a person may set about reading pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt


@dataclass(frozen=True)
class DataConfig:
    """How the pictures of a folder are read and divided.

    Attributes:
        eval_share: Share of the training pictures held out for evaluation where there is no eval folder or file. Below
            a half, so that some are left to train on; never 0, for the model could not be judged.
        test_share: The same for the test split; 0 for none.
        label_names: Names of the labels 0, 1, 2 ... of IDX label files; empty: the numbers themselves are the names.
        pictures_per_shard: Pictures read as one unit of work. Each unit writes a file per split, so that fewer pictures
            mean more workers at once and more files.
    """

    eval_share: Annotated[float, Gt(0), Lt(0.5)] = 0.1
    test_share: Annotated[float, Ge(0), Lt(0.5)] = 0.1
    label_names: tuple[str, ...] = ()
    pictures_per_shard: Annotated[int, Gt(0)] = 10_000
