"""From what was read to examples: the same whether pictures go together or alone, in order, and nothing lost."""

from __future__ import annotations

import io
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.writing import decode
from components.image_example_gen.writing.decode import ExampleDecoder, read_bytes
from components.image_example_gen.writing.pictures import ALIKE, decode_alike
from serving.picture_files import Refused, read_picture_file
from tests.components.image_example_gen.ingestion import encode, picture

DECODER = ExampleDecoder(SplitRule(0.2, 0.2), DataConfig())


def items(count: int, *shape: int) -> list[Encoded]:
    return [Encoded(f"{seed}.png", "a", None, encode(picture(seed, *shape))) for seed in range(count)]


@pytest.mark.parametrize("shape", [(8, 8), (5, 9, 3), (1, 1, 4), (3, 2, 2)])
def test_together_they_become_what_they_become_alone(shape):
    group = items(ALIKE, *shape)
    together = DECODER._alike(group)
    assert together is not None and list(together) == [DECODER._decoded(item) for item in group]


@pytest.mark.parametrize(
    "odd",
    [encode(picture(1, 4, 4)), encode(picture(1, 8, 8, 3)), encode(picture(1))[:-20], b"no picture", encode(picture(1), "TIFF")],
    ids=["another size", "colour", "damaged", "nothing", "of no known area"],
)
def test_one_that_differs_changes_nothing_for_the_others(odd):
    group = items(ALIKE, 8, 8)
    group[17] = Encoded("odd", "", None, odd)
    found = list(DECODER._decode_group(group))
    assert found == [DECODER._decoded(item) for item in group] and len(found) == ALIKE
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
    for result in decode._in_order(work(), 3):
        found.append(result)
        assert len(held) - len(found) / 2 < 10
    assert found == [sign * number for number in range(100) for sign in (1, -1)]


def test_an_error_in_the_work_reaches_the_caller():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(decode._in_order([lambda: [1], fail, lambda: [2]], 2))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "large").write_bytes(bytes(2_000_001))
    (tmp_path / "folder").mkdir()
    for name, reason in (("gone", "is gone"), ("folder", "a folder"), ("large", "larger than 2 megabytes")):
        with pytest.raises(Refused, match=reason):
            read_bytes(str(tmp_path / name), 2.0)


def test_splits_are_by_content_and_groups_do_not_matter():
    found = list(DECODER._decode_group(items(ALIKE, 8, 8)))
    assert {item.split for item in found} == {"train", "eval", "test"}
    assert len({item.digest for item in found}) == ALIKE == len(np.unique([item.row.sha256 for item in found]))


def decoded_of(*found: Encoded, **config: object) -> list:
    return [item for work in ExampleDecoder(SplitRule(0.2, 0.2), DataConfig(**config))._grouped(found) for item in work()]


def animation(kind: str, frames: int = 3, **options: object) -> bytes:
    images = [Image.fromarray(picture(seed, 6, 6, 3)) for seed in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


TIFF, WEBP = animation("TIFF"), animation("WEBP", lossless=True)


def test_what_a_person_should_know_of_a_picture():
    deep = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900)
    buffer = io.BytesIO()
    deep.save(buffer, "PNG")
    files = [
        TIFF,
        WEBP,
        buffer.getvalue(),
        encode(picture(1, 8, 8) % 2),
        encode(picture(1, 8, 8)),
        encode(np.zeros((8, 8), np.uint8)),
    ]
    found = decoded_of(*(Encoded(str(place), "", None, data) for place, data in enumerate(files)))
    assert [item.notes for item in found] == [("pages",), ("frames",), ("deep",), ("dim",), (), ()]


def test_masks_are_scaled_where_their_white_is_said():
    mask = picture(1, 8, 8) % 2
    (found,) = decoded_of(Encoded("mask.png", "", None, encode(mask)), levels=1)
    assert found.notes == () and found.row.mean == 255 * mask.mean() and found.row.reencoded_from == "png"


def test_pages_and_frames_are_pictures_of_their_own():
    files = [
        Encoded("a.png", "x", None, encode(picture(9))),
        Encoded("b.tiff", "y", "test", TIFF),
        Encoded("c.webp", "z", None, WEBP),
    ]
    found = decoded_of(*files, pages="all", frames="all")
    assert [(item.row.path, item.row.label, item.row.reencoded_from) for item in found] == [
        ("a.png", "x", ""),
        *((f"b.tiff#{page}", "y", "tiff") for page in range(3)),
        *((f"c.webp#{frame}", "z", "webp") for frame in range(3)),
    ]
    assert {item.notes for item in found} == {()} and found[1].split == "test"
    assert [item.digest for item in found[1:4]] == [item.digest for item in found[4:]]
    assert [item.row.path for item in decoded_of(*files, frames="all")][1:3] == ["b.tiff", "c.webp#0"]
    assert [item.row.path for item in decoded_of(*files)] == ["a.png", "b.tiff", "c.webp"]


def test_options_are_applied_to_a_page_once():
    masks = [Image.fromarray(picture(seed, 8, 8) % 2) for seed in range(2)]
    buffer = io.BytesIO()
    masks[0].save(buffer, "TIFF", save_all=True, append_images=masks[1:])
    found = decoded_of(Encoded("a.tiff", "", None, buffer.getvalue()), pages="all", levels=1)
    assert [item.row.mean for item in found] == [pytest.approx(255 * np.mean(mask)) for mask in masks]


def test_a_damaged_frame_is_refused_by_itself():
    found = decoded_of(Encoded("a.gif", "", None, animation("GIF")[:-20]), frames="all")
    assert [type(item) for item in found[:-1]] == [decode.Decoded] * (len(found) - 1)
    assert found[-1] == Rejected(f"a.gif#{len(found) - 1}", "damaged or cut short GIF data")


def test_parts_come_in_groups_that_fit_into_memory():
    """A thousand frames of 64 kB each are never held at once."""
    made = []

    def parts(*_):
        for _ in range(1000):
            made.append(1)
            yield decode.PictureFile(bytes(1 << 16), "png", "gif")

    decoder = ExampleDecoder(SplitRule(0.2, 0.2), DataConfig(frames="all"))
    with mock.patch.object(decode, "all_pictures", parts):
        groups = decoder._grouped([Encoded("a.gif", "", None, b"GIF89a")])
        next(groups)
    assert len(made) <= 65


def test_a_fault_of_one_picture_is_its_own(monkeypatch):
    """Whatever the libraries raise, the others of its group become examples."""
    group = items(ALIKE, 8, 8)
    expected = list(DECODER._decode_group(group))
    measured = decode.pictures.mean_and_std

    def faulty(pixels):
        if (pixels[..., 0] == picture(17)).all():
            raise IndexError("tuple index out of range")
        return measured(pixels)

    monkeypatch.setattr(decode.pictures, "mean_and_std", faulty)
    monkeypatch.setattr(decode.pictures, "decode_alike", lambda *_: 1 / 0)
    found = list(DECODER._decode_group(group))
    assert found[17] == Rejected("17.png", "it cannot be read: IndexError")
    assert found[:17] + found[18:] == expected[:17] + expected[18:]


def test_in_16_bits_all_formats_are_of_one_scale():
    levels = picture(3, 8, 8, 3)
    deep = Encoded("d", "", None, decode.pictures.encode_png(levels.astype(np.uint16) * 257))
    found = decoded_of(Encoded("a", "", None, encode(levels)), Encoded("b", "", None, encode(levels, "BMP")), deep, depth=16)
    assert len({item.digest for item in found}) == 1 and {item.row.mean for item in found} == {levels.mean()}
    block = decode.Block("c", 0, ["x"], None, levels[np.newaxis])
    (of_block,) = ExampleDecoder(SplitRule(0.2, 0.2), DataConfig(depth=16))._block(block)
    assert of_block.digest == found[0].digest and of_block.row.format == "bmp"
    words = decode.Block("c", 0, ["x"], None, levels[np.newaxis].astype(np.uint16) * 257)
    (of_words,) = ExampleDecoder(SplitRule(0.2, 0.2), DataConfig(depth=16))._block(words)
    assert of_words.digest == found[0].digest and of_words.row.encoded == deep.data
