"""CSVs of pixels in the dialects that people have."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import random

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Block, Rejected
from components.image_example_gen.readers.pixel_csv import PixelCsv, find, is_mine, is_pixels
from components.image_example_gen.storage.files import stat_file

ROWS = 60


def pictures(count: int = ROWS, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *(shape or (28, 28, 1))), np.uint8)


def text_of(rows, header=None, **dialect) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=dialect.pop("lineterminator", "\n"), **dialect)
    writer.writerows([*([header] if header else []), *rows])
    return buffer.getvalue().encode()


def labelled(pixels, labels) -> list[list]:
    return [[label, *row] for label, row in zip(labels, pixels.reshape(len(pixels), -1).tolist(), strict=True)]


def saved(tmp_path, data: bytes, name: str = "train.csv", config: DataConfig | None = None):
    (tmp_path / name).write_bytes(data)
    return find(str(tmp_path), stat_file(str(tmp_path), name), config or DataConfig())


def items_of(tmp_path, found: PixelCsv, config: DataConfig | None = None, size: int = 10_000) -> list:
    assert isinstance(found, PixelCsv), found
    config = config or DataConfig()
    units = found.units(size)
    assert units[0][0] == 0 and units[-1][1] == found.count
    assert all(before[1] == after[0] for before, after in itertools.pairwise(units))
    return [item for start, stop in units for item in found.read(str(tmp_path), start, stop, config)]


def read(tmp_path, found, config=None, size=10_000) -> tuple[np.ndarray, list[str], list[str | None]]:
    """The pixels, labels and splits of a file of which nothing is refused."""
    blocks = items_of(tmp_path, found, config, size)
    assert all(isinstance(block, Block) for block in blocks), blocks
    at = 0
    for block in blocks:
        assert block.first == at and block.pixels.flags.c_contiguous and len(block.labels) == len(block.pixels)
        at += len(block.pixels)
    assert at == found.count
    labels = [label for block in blocks for label in block.labels]
    return np.concatenate([block.pixels for block in blocks]), labels, [block.split for block in blocks for _ in block.labels]


PIXELS = [f"pixel{i}" for i in range(784)]
DIALECTS = {
    "Kaggle's digits": (["label", *PIXELS], {}),
    "Fashion-MNIST": (["label", *(f"pixel{i + 1}" for i in range(784))], {}),
    "rows and columns": (["label", *(f"{i // 28 + 1}x{i % 28 + 1}" for i in range(784))], {}),
    "A to Z": (["0", *(f"0.{i}" if i else "0.1" for i in range(784))], {}),
    "numbered columns": ([str(i) for i in range(785)], {}),
    "a label and numbered columns": (["label", *map(str, range(784))], {}),
    "one name for all": (["label", *["pixel"] * 784], {}),
    "strange names": (["Character", *(f"p\u00fc{chr(97 + i % 26)}" for i in range(784))], {}),
    "no header": (None, {}),
    "semicolons": (["label", *PIXELS], {"delimiter": ";"}),
    "bars": (None, {"delimiter": "|"}),
    "tabs": (["label", *PIXELS], {"delimiter": "\t"}),
    "quoted": (["label", *PIXELS], {"quoting": csv.QUOTE_ALL}),
    "quoted, semicolons": (None, {"quoting": csv.QUOTE_ALL, "delimiter": ";"}),
    "CRLF": (["label", *PIXELS], {"lineterminator": "\r\n"}),
    "CR": (["label", *PIXELS], {"lineterminator": "\r"}),
    "BOM": (["\ufefflabel", *PIXELS], {}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("packed", [False, True])
def test_dialects_of_the_csv_module(tmp_path, dialect, packed):
    header, options = DIALECTS[dialect]
    pixels, labels = pictures(), [i * 7 % 10 for i in range(ROWS)]
    data = text_of(labelled(pixels, labels), header, **options)
    found = saved(tmp_path, gzip.compress(data) if packed else data, "a_train.csv.gz" if packed else "a_train.csv")
    got = read(tmp_path, found)
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1] == [str(label) for label in labels] and set(got[2]) == {"train"}
    assert found.packed is packed and found.count == ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
@pytest.mark.parametrize("fmt", ["%d", "%3d", "%.1f", "%.4f", "%.18e", "%g"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dialects_of_numpy(tmp_path, delimiter, fmt, newline):
    pixels, labels = pictures(), np.arange(ROWS) * 7 % 10
    np.savetxt(tmp_path / "t.csv", np.column_stack([labels, pixels.reshape(ROWS, -1)]), fmt, delimiter, newline)
    got = read(tmp_path, saved(tmp_path, (tmp_path / "t.csv").read_bytes()))
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1] == [str(label) for label in labels]


@pytest.mark.parametrize("where", [0, 3, 784])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_text_labels_anywhere(tmp_path, where, quoting):
    pixels = pictures()
    labels = [("ankle boot", 'a "big" one', "cat, small", "caf\u00e9")[i % 4] for i in range(ROWS)]
    rows, header = pixels.reshape(ROWS, -1).tolist(), list(PIXELS)
    for row, label in zip([header, *rows], ["class", *labels], strict=True):
        row.insert(where, label)
    for first in (header, None):
        got = read(tmp_path, saved(tmp_path, text_of(rows, first, quoting=quoting)))
        np.testing.assert_array_equal(got[0], pixels)
        assert got[1] == labels


def test_labels_by_name_and_names_that_are_too_few(tmp_path):
    pixels, labels = pictures(), [i % 3 for i in range(ROWS)]
    found = saved(tmp_path, text_of(labelled(pixels, labels), ["y", *PIXELS]))
    assert read(tmp_path, found, DataConfig(label_names=("a", "b", "c")))[1] == ["abc"[label] for label in labels]
    with pytest.raises(InputError, match="holds the label 2, but data.label_names names only 2"):
        items_of(tmp_path, found, DataConfig(label_names=("a", "b")))


def test_the_last_column_of_numbered_digits_and_another_one_if_asked(tmp_path):
    pixels, labels = pictures(ROWS, 8, 8, 1) // 16, [i % 10 for i in range(ROWS)]
    pixels[:, 0, 0] = 0
    rows = [[*row[1:], row[0]] for row in labelled(pixels, labels)]
    found = saved(tmp_path, text_of(rows), "optdigits.csv")
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)
    assert read(tmp_path, found)[1] == [str(label) for label in labels]
    assert found.notes == (
        "optdigits.csv: without a header, its last column is taken for the label: data.label_column says another",
        "optdigits.csv: no level above 15 in its first rows: data.levels=15 makes that white",
    )
    config = DataConfig(label_column=0, levels=15)
    assert set(read(tmp_path, saved(tmp_path, text_of(rows), config=config), config)[1]) == {"0"}


def test_without_labels_and_columns_that_are_none(tmp_path):
    pixels = pictures()
    rows = pixels.reshape(ROWS, -1).tolist()
    for header in (PIXELS, None):
        got = read(tmp_path, saved(tmp_path, text_of(rows, header), "test.csv"))
        np.testing.assert_array_equal(got[0], pixels)
        assert set(got[1]) == {""} and set(got[2]) == {"test"}
    rows = [[i, *row, f"who{i}", 5] for i, row in enumerate(rows)]
    found = saved(tmp_path, text_of(rows, ["id", *PIXELS, "author", "label"]))
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)
    assert found.notes == ("train.csv: of its columns these are not used: author",) and set(read(tmp_path, found)[1]) == {"5"}


@pytest.mark.parametrize("header", [["emotion", "pixels", "Usage"], ["emotion", "pixels", " Usage"], None])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_all_pixels_in_one_column_with_the_split_beside(tmp_path, header, quoting):
    pixels = pictures(ROWS, 48, 48, 1)
    uses = [("Training", "PublicTest", "PrivateTest")[i // 20] for i in range(ROWS)]
    texts = [" ".join(map(str, row)) for row in pixels.reshape(ROWS, -1).tolist()]
    rows = [[i % 7, text, use] for i, (text, use) in enumerate(zip(texts, uses, strict=True))]
    data = text_of(rows, header, quoting=quoting)
    assert is_pixels("fer2013.csv", data[: 1 << 20])
    got = read(tmp_path, saved(tmp_path, data, "fer2013.csv"))
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1] == [str(i % 7) for i in range(ROWS)]
    assert got[2] == [("train", "eval", "test")[i // 20] for i in range(ROWS)]


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 3), (32, 32, 3), (150, 150, 3)])
def test_shapes_that_are_square(tmp_path, shape):
    pixels = pictures(7, *shape)
    got = read(tmp_path, saved(tmp_path, text_of(labelled(pixels, range(7)))))
    np.testing.assert_array_equal(got[0], pixels)


def test_shapes_that_must_be_said(tmp_path):
    pixels = pictures(ROWS, 20, 10, 4)
    for header in (["label", *(f"pixel{i}" for i in range(800))], None):
        data = text_of(labelled(pixels, range(ROWS)), header)
        refused = saved(tmp_path, data)
        pixel_count = 800 if header else 801
        expected = f"its rows have {pixel_count} pixels, no square: data.shape=[height,width,channels] says the shape"
        assert refused == Rejected("train.csv", expected)
        config = DataConfig(shape=(20, 10, 4))
        np.testing.assert_array_equal(read(tmp_path, saved(tmp_path, data, config=config), config)[0], pixels)
    refused = saved(
        tmp_path,
        text_of(labelled(pixels, range(ROWS)), header=["label", *(f"p{i}" for i in range(800))]),
        config=DataConfig(shape=(20, 20, 1)),
    )
    assert refused.reason == "its rows have 800 pixels, not 20 x 20 x 1 as data.shape says"


def test_masks_are_black_and_white_only_if_all_of_them_are(tmp_path):
    masks = pictures(2000) % 2
    got = read(tmp_path, saved(tmp_path, text_of(labelled(masks, [0] * 2000), ["label", *PIXELS])))
    np.testing.assert_array_equal(got[0], masks * 255)
    masks[-1, 0, 0] = 7
    got = read(tmp_path, saved(tmp_path, text_of(labelled(masks, [0] * 2000), ["label", *PIXELS])))
    np.testing.assert_array_equal(got[0], masks)


def test_levels_and_ranges(tmp_path):
    pixels = pictures()
    deep = labelled(pixels.astype(np.uint16) * 16, [0] * ROWS)
    refused = saved(tmp_path, text_of(deep, ["label", *PIXELS]))
    assert refused == Rejected(
        "train.csv", "its levels go from 0 to 4080, not from 0 to 255: set data.levels to the level of white", ROWS
    )
    config = DataConfig(levels=4080)
    np.testing.assert_array_equal(read(tmp_path, saved(tmp_path, text_of(deep), config=config), config)[0], pixels)
    signed = labelled(pixels.astype(int) - 128, [0] * ROWS)
    assert "from -128 to 127" in saved(tmp_path, text_of(signed, ["label", *PIXELS])).reason
    floats = text_of(labelled(pixels / 255, [0] * ROWS), ["label", *PIXELS])
    assert saved(tmp_path, floats).reason.startswith("its numbers are fractions: set data.range")
    for low, high in ((0, 1), (-1, 1)):
        config = DataConfig(range=(low, high))
        data = text_of(labelled(low + pixels / 255 * (high - low), [0] * ROWS), ["label", *PIXELS])
        np.testing.assert_array_equal(read(tmp_path, saved(tmp_path, data, config=config), config)[0], pixels)


@pytest.mark.parametrize("labels", ["numbers", "texts"])
def test_a_row_that_is_wrong_is_refused_alone(tmp_path, labels):
    pixels = pictures()
    rows = labelled(pixels, [str(i % 9) if labels == "numbers" else f"c{i % 9}" for i in range(ROWS)])
    wrong = {3: rows[3][:-1], 7: [*rows[7], 1], 11: ["x"], 20: [*rows[20][:9], "abc", *rows[20][10:]]}
    wrong |= {21: [*rows[21][:9], "", *rows[21][10:]], 22: [*rows[22][:9], "nan", *rows[22][10:]]}
    for place, row in wrong.items():
        rows[place] = row
    other = {30: 300, 31: -4, 32: 4.5}
    for place, level in other.items():
        rows[place][300] = level
    items = items_of(tmp_path, saved(tmp_path, text_of(rows, ["label", *PIXELS])))
    refused = {item.path: item.reason for item in items if isinstance(item, Rejected)}
    assert {f"train.csv#{place}" for place in (*wrong, *other)} == refused.keys()
    assert {refused[f"train.csv#{place}"] for place in wrong} == {"a row that has no 784 numbers"}
    assert refused["train.csv#32"] == reasons.CSV_FRACTION
    assert "above" in refused["train.csv#30"] and "below" in refused["train.csv#31"]
    for block in (item for item in items if isinstance(item, Block)):
        np.testing.assert_array_equal(block.pixels, pixels[block.first : block.first + len(block.pixels)])
    assert sum(len(item.pixels) for item in items if isinstance(item, Block)) == ROWS - len(wrong) - len(other)


def test_blank_rows_are_none(tmp_path):
    pixels = pictures()
    data = text_of(labelled(pixels, range(ROWS)), ["label", *PIXELS])
    data = data.replace(b"\n5,", b"\n\n\n5,").replace(b"\n9,", b"\n\r\n9,").rstrip(b"\n")
    for end in (b"", b"\n", b"\n\n\n", b"\r\n\r\n"):
        found = saved(tmp_path, data + end)
        np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_units_are_read_by_themselves(tmp_path, newline):
    pixels, labels = pictures(6000, 14, 14, 1), [i % 10 for i in range(6000)]
    data = text_of(labelled(pixels, labels), ["label", *(f"pixel{i}" for i in range(196))], lineterminator=newline)
    config = DataConfig(pictures_per_shard=1000)
    found = saved(tmp_path, data, config=config)
    assert len(found.units(1000)) > 3 and len(found.units(10_000)) == 1
    got = read(tmp_path, found, size=1000)
    np.testing.assert_array_equal(got[0], pixels)
    assert got[1] == [str(label) for label in labels]
    middle = list(found.read(str(tmp_path), 2345, 2350, config))
    np.testing.assert_array_equal(np.concatenate([block.pixels for block in middle]), pixels[2345:2350])
    assert middle[0].first == 2345
    assert len(saved(tmp_path, gzip.compress(data), "a.csv.gz", config).units(1000)) == 1


@pytest.mark.parametrize("how", ["cut", "flip"])
def test_gzip_that_is_damaged_keeps_what_is_before(tmp_path, how):
    pixels = pictures(2000)
    data = bytearray(gzip.compress(text_of(labelled(pixels, [0] * 2000), ["label", *PIXELS]), 1))
    if how == "cut":
        del data[len(data) * 3 // 4 :]
    else:
        data[len(data) * 3 // 4] ^= 0xFF
    items = items_of(tmp_path, saved(tmp_path, bytes(data), "a.csv.gz"))
    refused = [item.reason for item in items if isinstance(item, Rejected)]
    assert reasons.CSV_CUT_SHORT in refused and len(refused) < 10
    kept = np.concatenate([item.pixels for item in items if isinstance(item, Block)])
    assert len(kept) > 800
    np.testing.assert_array_equal(kept[:800], pixels[:800])


def test_gzip_that_is_cut_before_its_first_row_says_where(tmp_path):
    data = gzip.compress(text_of(labelled(pictures(30), [0] * 30), ["label", *PIXELS]), 1)
    for length in (20, 100, 300):
        found = saved(tmp_path, data[:length], "a.csv.gz")
        assert isinstance(found, Rejected) and f"truncated at byte {length}, before" in found.reason


OTHERS = {
    "a manifest": b"path,label\na.png,cat\nb.png,dog\n",
    "a table": b"age,height,weight\n" + b"1,2,3\n" * 50,
    "Iris": b"5.1,3.5,1.4,0.2,setosa\n" * 150,
    "measurements": (",".join(f"m{chr(97 + i % 26)}" for i in range(50)) + "\n" + ",".join("1" * 50) + "\n").encode(),
    "nothing": b"",
    "a header alone": ",".join(["label", *PIXELS]).encode(),
    "a page": b"<html><body>" + b"<p>no, not found</p>\n" * 1000,
    "bytes": bytes(range(256)) * 99,
    "blank": b"\n\n \n",
    "quotes": b'"' * 5000,
    "UTF-16": "label,1,2\n".encode("utf-16"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_csv_of_pixels_is_passed_over(tmp_path, what):
    assert saved(tmp_path, OTHERS[what]) is None
    assert not is_pixels("train.csv", OTHERS[what])


@pytest.mark.parametrize("name, mine", [("a.csv", True), ("x/A.CSV", True), ("a.tsv", True), ("a.csv.gz", True), ("a.txt", False)])
def test_names(name, mine):
    assert is_mine(name) is mine
    data = text_of(labelled(pictures(3), range(3)), ["label", *PIXELS])
    assert is_pixels(name, gzip.compress(data) if name.endswith("gz") else data) is mine


def test_lines_are_short_whatever_the_header_holds(tmp_path):
    pixels = pictures(ROWS, 10, 7, 1)
    header = ["label", *(f"{'long ' * 99}{i}" for i in range(70)), "n" * 9000 + "\n", "other"]
    found = saved(tmp_path, text_of([[*row, 1, 2] for row in labelled(pixels, range(ROWS))], header))
    assert isinstance(found, Rejected) or found is None or all(len(note) < 160 for note in found.notes)
    config = DataConfig(shape=(10, 7, 1))
    header[-2] = "n" * 9000
    found = saved(tmp_path, text_of([[*row, 1, 2] for row in labelled(pixels, range(ROWS))], header), config=config)
    np.testing.assert_array_equal(read(tmp_path, found)[0], pixels)
    assert found.notes and all(len(note) < 160 and "\n" not in note for note in found.notes)


def test_a_picture_that_is_too_large_is_refused_unread(tmp_path):
    config = DataConfig(max_megapixels=0.0001)
    items = items_of(tmp_path, saved(tmp_path, text_of(labelled(pictures(), range(ROWS)))), config)
    assert len(items) == ROWS and all(isinstance(item, Rejected) for item in items)


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed)) if changed else 0
        how = rng.randrange(7)
        if how == 0:
            del changed[at:]
        elif how == 1:
            changed[at : at + 1] = rng.randbytes(1)
        elif how == 2:
            del changed[at : at + rng.randint(1, 5000)]
        elif how == 3:
            changed[at:at] = rng.choice([b'"', b"\n", b"\r", b"\0", b",,,", b"9" * 400, b"1e999", b"-", b"\xff\xfe", b"nan", b" "])
        elif how == 4:
            changed[at:at] = rng.randbytes(rng.randint(1, 300))
        elif how == 5:
            changed[at:at] = changed[: rng.randint(1, 4000)]
        else:
            changed = changed.replace(b",", rng.choice([b";", b" ", b",,", b"", b'","']), rng.randint(1, 2000))
    return bytes(changed)


@pytest.mark.parametrize("kind", ["labelled", "texts", "packed", "floats", "gzip"])
def test_whatever_is_damaged_nothing_is_raised(tmp_path, kind):
    pixels = pictures(12, 16, 16, 1)
    header = ["label", *(f"pixel{i}" for i in range(256))]
    data = text_of(
        labelled(pixels / 2 if kind == "floats" else pixels, [f"l{i}" if kind == "texts" else i for i in range(12)]), header
    )
    if kind == "packed":
        data = text_of([[1, " ".join(map(str, row)), "Training"] for row in pixels.reshape(12, -1)], ["emotion", "pixels", "Usage"])
    name, config = "a.csv.gz" if kind == "gzip" else "a.csv", DataConfig(range=(0, 255))
    rng = random.Random(kind)
    pictures_read = 0
    for _ in range(150):
        changed = damaged(gzip.compress(data) if kind == "gzip" else data, rng)
        is_pixels(name, changed)
        found = saved(tmp_path, changed, name, config)
        if isinstance(found, PixelCsv):
            items = items_of(tmp_path, found, config)
            lost = {item.path for item in items if isinstance(item, Rejected)}
            pictures_read += sum(len(item.pixels) for item in items if isinstance(item, Block))
            assert len(lost) + sum(len(item.pixels) for item in items if isinstance(item, Block)) >= found.count
        elif found is not None:
            assert len(found.reason) < 120 and "\n" not in found.reason
    assert pictures_read > 150
