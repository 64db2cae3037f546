"""From what was read to examples: the same whether pictures go together or alone, in order, and nothing lost."""

from __future__ import annotations

import numpy as np
import pytest

from components.image_example_gen import develop
from components.image_example_gen.config import DataConfig
from components.image_example_gen.develop import Developer, read_bytes
from components.image_example_gen.found import Encoded, Rejected
from components.image_example_gen.pictures import ALIKE, decode_alike
from components.image_example_gen.splits import SplitRule
from serving.picture_files import Refused, read_picture_file
from tests.components.image_example_gen.ingestion import encode, picture

DEVELOPER = Developer(SplitRule(0.2, 0.2), DataConfig())


def items(count: int, *shape: int) -> list[Encoded]:
    return [Encoded(f"{seed}.png", "a", None, encode(picture(seed, *shape))) for seed in range(count)]


@pytest.mark.parametrize("shape", [(8, 8), (5, 9, 3), (1, 1, 4), (3, 2, 2)])
def test_together_they_become_what_they_become_alone(shape):
    group = items(ALIKE, *shape)
    together = DEVELOPER._alike(group)
    assert together is not None and together == [DEVELOPER._decoded(item) for item in group]


@pytest.mark.parametrize(
    "odd",
    [encode(picture(1, 4, 4)), encode(picture(1, 8, 8, 3)), encode(picture(1))[:-20], b"no picture", encode(picture(1), "TIFF")],
    ids=["another size", "colour", "damaged", "nothing", "of no known area"],
)
def test_one_that_differs_changes_nothing_for_the_others(odd):
    group = items(ALIKE, 8, 8)
    group[17] = Encoded("odd", "", None, odd)
    found = DEVELOPER._developed(group)
    assert found == [DEVELOPER._decoded(item) for item in group] and len(found) == ALIKE
    assert sum(isinstance(item, Rejected) for item in found) == (b"IEND" not in odd and odd[:4] != b"II*\0")


def test_large_pictures_are_not_decoded_together():
    files = [read_picture_file(encode(picture(1, 129, 129)))] * ALIKE
    assert decode_alike(files) is None


def test_results_come_in_the_order_of_the_work_and_few_are_held():
    held = []

    def work():
        for number in range(100):
            held.append(number)
            yield lambda number=number: [number, -number]

    found = []
    for result in develop._in_order(work(), 3):
        found.append(result)
        assert len(held) - len(found) / 2 < 10
    assert found == [sign * number for number in range(100) for sign in (1, -1)]


def test_an_error_in_the_work_reaches_the_caller():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(develop._in_order([lambda: [1], fail, lambda: [2]], 2))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "large").write_bytes(bytes(2_000_001))
    (tmp_path / "folder").mkdir()
    for name, reason in (("gone", "is gone"), ("folder", "a folder"), ("large", "larger than 2 megabytes")):
        with pytest.raises(Refused, match=reason):
            read_bytes(str(tmp_path / name), 2.0)


def test_splits_are_by_content_and_groups_do_not_matter():
    found = DEVELOPER._developed(items(ALIKE, 8, 8))
    assert {item.split for item in found} == {"train", "eval", "test"}
    assert len({item.digest for item in found}) == ALIKE == len(np.unique([item.row.sha256 for item in found]))
