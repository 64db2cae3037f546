"""MATLAB's and HDF5's files: what their writers do, links, filters, values of any length; and thousands of damaged files."""

from __future__ import annotations

import gzip
import random
import struct
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.arrays import hdf5_process
from components.image_example_gen.readers.arrays.hdf5_process import Hdf5DamagedError
from components.image_example_gen.readers.arrays.mat import inspect_mat
from components.image_example_gen.storage.files import FoundFile
from tests.components.image_example_gen.ingestion import encode
from tests.components.image_example_gen.readers.arrays.files import (
    KINDS,
    LABELS,
    PIXELS,
    find,
    find_one,
    idx_bytes,
    items_of,
    read,
    refused,
    write_kind,
    write_matlab_73,
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "?"])
def test_variables_of_matlab_are_as_scipy_reads_them(tmp_path, packed, dtype):
    rng = np.random.default_rng(0)
    values = {
        "cube": (rng.random((3, 4, 5)) * 100).astype(dtype),
        "a": (rng.random((1, 7)) * 2).astype(dtype),
        "s": {"field": 1},
        "c": np.array(["x", 1], object),
        "four": (rng.random((2, 3, 4, 5)) * 100).astype(dtype),
    }
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, values, do_compression=packed)
    file = inspect_mat(str(tmp_path), FoundFile("a.mat", path.stat().st_size, -1))
    expected = scipy.io.loadmat(path)
    assert [array.name for array in file.arrays] == ["cube", "a", "four"]
    assert [name for name, _ in file.unread] == ["s", "c"]
    for array in file.arrays:
        assert array.packed is packed
        rows = np.concatenate(list(array.rows(str(tmp_path), 0, array.stored[0], 2)))
        np.testing.assert_array_equal(rows.T, expected[array.name])
        assert rows.dtype == values[array.name].dtype


def test_doubles_that_matlab_stores_as_bytes(tmp_path):
    """It stores whole numbers in the smallest type that holds them; SciPy does not."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    pixels = PIXELS[..., 0]
    parts = [(6, struct.pack("<II", 6, 0)), (5, struct.pack("<3i", 6, 5, 40)), (1, b"faces")]
    data = b"".join(element(*part) for part in parts) + element(2, pixels.transpose(0, 2, 1).tobytes())
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + element(14, data))
    assert "data.range=[0,255]" in refused(tmp_path)
    np.testing.assert_array_equal(read(tmp_path, DataConfig(range=(0, 255)))[0][..., 0], pixels)


@pytest.mark.parametrize("packed", [False, True])
def test_text_of_matlab_is_labels(tmp_path, packed):
    names = np.array(["cat", "horse"])[LABELS % 2]
    scipy.io.savemat(tmp_path / "a.mat", {"X": np.moveaxis(PIXELS, 0, -1), "y": names}, do_compression=packed)
    assert read(tmp_path)[1] == names.tolist()
    assert read(tmp_path, size=7)[1] == names.tolist()


def test_other_versions_of_matlab(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"X": PIXELS[..., 0, 0].astype(float)}, format="4")
    assert "MATLAB 4: save it anew with -v7" in refused(tmp_path)
    (tmp_path / "a.mat").unlink()
    write_matlab_73(tmp_path / "a.mat", X=np.moveaxis(PIXELS, 0, -1).astype(np.float64) / 255, y=LABELS[None] > 1)
    pixels, labels = read(tmp_path, DataConfig(range=(0, 1)))
    np.testing.assert_array_equal(pixels, PIXELS)
    assert labels == (LABELS > 1).astype(int).astype(str).tolist()


def test_pictures_that_lie_across_a_large_file(tmp_path):
    write_kind(tmp_path, "mat first")
    assert "save [h, w, c, n]" in refused(tmp_path, DataConfig(max_file_megabytes=0.001))


def test_groups_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for part, these in (("train", slice(30)), ("test", slice(30, 40))):
            file[f"{part}/images"], file[f"{part}/labels"] = PIXELS[these], LABELS[these]
        file["train/again"] = file["train/images"]
        file["train/loop"] = file["/"]
    assert [(item.name, item.split, item.count, item.notes) for item in find(tmp_path)] == [
        ("a.h5/test/images", "test", 10, ()),
        ("a.h5/train/again", "train", 30, ()),
    ]


def test_no_file_makes_us_read_another(tmp_path):
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "raw").write_bytes(PIXELS.tobytes())
    with h5py.File(secret / "other.h5", "w") as file:
        file["images"] = PIXELS
    (tmp_path / "in").mkdir()
    with h5py.File(tmp_path / "in" / "a.h5", "w") as file:
        file["external"] = h5py.ExternalLink(str(secret / "other.h5"), "images")
        file["soft"] = h5py.SoftLink("/external")
        file.create_dataset("raw", PIXELS.shape, np.uint8, external=[(str(secret / "raw"), 0, PIXELS.nbytes)])
        layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
        layout[:] = h5py.VirtualSource(str(secret / "other.h5"), "images", PIXELS.shape)
        file.create_virtual_dataset("virtual", layout)
    (found,) = find(tmp_path / "in")
    assert isinstance(found, Rejected)
    with h5py.File(tmp_path / "in" / "a.h5", "a") as file:
        file["images"] = PIXELS
    pictures = find_one(tmp_path / "in")
    assert pictures.name == "a.h5/images"
    notes = " ".join(pictures.notes)
    for said in ("external is not read: a link to another file", "raw is not read: its values lie in another file", "virtual is"):
        assert said in notes


@pytest.mark.parametrize("options, ok", [({"compression": "lzf"}, True), ({"scaleoffset": 0}, True), ({"fletcher32": True}, True)])
def test_filters_that_hdf5_has(tmp_path, options, ok):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=PIXELS, chunks=(7, 6, 5, 3), **options)
    if "scaleoffset" in options and h5py.version.hdf5_version_tuple < (2,):
        pytest.skip("HDF5 1.14 cannot read what it packs by scaleoffset, if the values need all their bits")
    np.testing.assert_array_equal(read(tmp_path, size=9)[0], PIXELS)


def test_filters_that_are_programs(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((7, 6, 5, 3))
        plist.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple(PIXELS.shape), plist)
    assert "packed by the filter 32001: save it with gzip or lzf" in refused(tmp_path)


@pytest.mark.parametrize("chunks", [(40, 6, 5, 3), (9, 2, 5, 1), (1, 6, 5, 3)])
def test_chunks_of_any_shape(tmp_path, chunks):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=PIXELS, chunks=chunks, compression="gzip")
    pictures = find_one(tmp_path)
    assert all(start % chunks[0] == 0 for start, _ in pictures.units(20)) or chunks[0] > 20
    for size in (1000, 20, 7):
        np.testing.assert_array_equal(read(tmp_path, size=size)[0], PIXELS)


@pytest.mark.parametrize("options", [{}, {"chunks": (3,)}, {"chunks": (3,), "compression": "gzip", "shuffle": True}])
@pytest.mark.parametrize("latest", [False, True])
def test_picture_files_in_hdf5(tmp_path, options, latest):
    files = [encode(pixels) for pixels in PIXELS[:10]]
    names = ["cat", "Ünï"] * 5
    with h5py.File(tmp_path / "a.h5", "w", libver="latest" if latest else None, userblock_size=512) as file:
        dataset = file.create_dataset("images", (10,), h5py.vlen_dtype(np.uint8), **options)
        for number, data in enumerate(files):
            dataset[number] = np.frombuffer(data, np.uint8)
        file.create_dataset("labels", data=names, dtype=h5py.string_dtype(), **options)
    for size in (1000, 4):
        items = items_of(tmp_path, find_one(tmp_path), size=size)
        assert items == [Encoded(f"a.h5/images#{n}", names[n], None, files[n]) for n in range(10)]


def test_opaque_picture_files_in_hdf5(tmp_path):
    files = [encode(pixels) for pixels in PIXELS[:4]]
    longest = max(map(len, files))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = np.array([np.void(data.ljust(longest, b"\0")) for data in files])
    items = items_of(tmp_path, find_one(tmp_path))
    assert [item.data[: len(data)] for item, data in zip(items, files, strict=True)] == files


def test_a_file_written_anew_is_read_anew(tmp_path):
    for pixels in (PIXELS, PIXELS[:30], PIXELS[::-1]):
        write_kind(tmp_path, "h5", pixels, LABELS[: len(pixels)])
        np.testing.assert_array_equal(read(tmp_path)[0], pixels)


def test_the_library_may_crash(tmp_path):
    write_kind(tmp_path, "h5")
    pictures = find_one(tmp_path)
    units = pictures.read(str(tmp_path), 0, 40, DataConfig())
    hdf5_process._PROCESS.process.kill()
    assert sum(getattr(item, "pictures", 0) or len(item.pixels) for item in units) == 40
    assert read(tmp_path)[1] == LABELS.astype(str).tolist()
    with pytest.raises(Hdf5DamagedError):
        hdf5_process.ask({"do": "rows", "path": str(tmp_path / "a.h5"), "address": "none", "start": 0, "stop": 1, "axis": 0})


def test_an_encrypted_member(tmp_path):
    np.savez(tmp_path / "a.npz", x=PIXELS)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[6] |= 1
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "a.npz").write_bytes(data)
    assert "encrypted" in refused(tmp_path)


@pytest.mark.parametrize(
    "kind, name",
    [("idx", "all-images-idx4-ubyte"), ("idx packed", "all-images-idx4-ubyte.gz"), ("npy", "x.npy"), ("npz packed", "a.npz")],
)
def test_a_file_that_is_cut_short_says_where(tmp_path, kind, name):
    write_kind(tmp_path / "whole", kind)
    data = (tmp_path / "whole" / name).read_bytes()
    for length in {*range(3, 30, 4), *range(30, len(data), len(data) // 20), len(data) - 1}:
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / name).write_bytes(data[:length])
        reason = refused(tmp_path / "cut")
        assert f"truncated at byte {length:,}:" in reason or f"it holds {length:,} bytes where its header says" in reason


def test_gzip_of_several_members_or_with_padding_is_read(tmp_path):
    data = idx_bytes(PIXELS)
    path = tmp_path / "all-images-idx4-ubyte.gz"
    for packed in (gzip.compress(data[:100]) + gzip.compress(data[100:]), gzip.compress(data) + bytes(1000)):
        path.write_bytes(packed)
        np.testing.assert_array_equal(read(tmp_path)[0], PIXELS)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: gzip.compress(data[:-5]), "bytes where its header says"),
        (lambda data: gzip.compress(data + b"x"), "it unpacks to more than"),
        (lambda data: gzip.compress(data) + b"junk", "it has extra bytes after its end"),
    ],
)
def test_gzip_of_another_length_than_its_header_says(tmp_path, change, words):
    (tmp_path / "all-images-idx4-ubyte.gz").write_bytes(change(idx_bytes(PIXELS)))
    assert words in refused(tmp_path)


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_bombs(tmp_path, kind):
    """Two gigabytes of nothing."""
    shape = (2 << 30 >> 10, 32, 32)
    if kind == "h5":
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("x", shape, np.uint8, chunks=(1024, 32, 32), compression="gzip")
    else:
        header = str({"descr": "|u1", "fortran_order": False, "shape": shape}).ljust(118).encode()
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("x.npy", data + bytes(1 << 20))
        path = tmp_path / "a.npz"
        lied = path.read_bytes().replace(struct.pack("<I", len(data) + (1 << 20)), struct.pack("<I", (2 << 30) + len(data)))
        path.write_bytes(lied)
    assert "unpacks to 2,147,483,648 bytes" in refused(tmp_path)


MUTATIONS = 60


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with bytes changed, taken away or added, also many in its header, or a number made huge."""
    data, kind = bytearray(data), rng.randrange(5)
    at = rng.randrange(len(data) if kind != 1 else min(len(data), 600))
    if kind < 2:
        for place in (at, rng.randrange(len(data) if kind else min(len(data), 600))):
            data[place] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        data[at : at + rng.randint(1, 9)] = rng.randbytes(rng.randint(0, 9))
    else:
        data[at : at + 8] = struct.pack("<Q", rng.choice((2**64 - 1, 2**63, 2**32 - 1, 2**31, 0, 1, 2**40)))
    return bytes(data)


def check_mutations(folder, kind: str, count: int, seed: int) -> None:
    """Reads mutated files; none raises, and no picture is unaccounted for."""
    write_kind(folder, kind, PIXELS[:20], LABELS[:20])
    path = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    original, rng, outcomes = path.read_bytes(), random.Random(seed), set()
    for _ in range(count):
        path.write_bytes(mutated(original, rng))
        for item in find(folder):
            outcomes.add(type(item))
            if not isinstance(item, Rejected):
                items_of(folder, item, size=8)
    assert Rejected in outcomes


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files(tmp_path, kind):
    check_mutations(tmp_path, kind, MUTATIONS if kind[0] == "h" or "7.3" in kind else 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_mutated_files(tmp_path, kind):
    check_mutations(tmp_path, kind, 2000, seed=2)


@pytest.mark.parametrize(
    "shape", ["(6, " + "9" * 60, "(" + "1" * 3000, "(" + "1 " * 2000 + ")", "(" + " " * 5000, "(" + "1," * 2500]
)
def test_a_shape_that_never_ends_is_refused_and_not_searched_for_ever(tmp_path, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}".encode()
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(99))
    assert "cannot be understood" in refused(tmp_path)


@pytest.mark.parametrize("numbers", [(0, 1), (5, 9), (-3, 70_000)])
@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_enumerations_of_hdf5_are_labels_by_name(tmp_path, numbers, shape):
    kind = h5py.enum_dtype(dict(zip(("cat", "dog"), numbers, strict=True)), basetype="i4")
    values = np.array(numbers)[LABELS % 2].reshape(shape)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = PIXELS
        file.create_dataset("y", data=values, dtype=kind)
    names = ["cat" if label % 2 == 0 else "dog" for label in LABELS]
    assert read(tmp_path)[1] == names
    assert read(tmp_path, size=7)[1] == names
    if numbers == (0, 1):
        assert set(read(tmp_path, DataConfig(label_names=("a", "b")))[1]) == {"a", "b"}


def test_numbers_that_an_enumeration_does_not_name_stay_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = PIXELS
        file.create_dataset("y", data=LABELS, dtype=h5py.enum_dtype({"cat": 0, "dog": 2}, basetype="u1"))
    assert read(tmp_path)[1] == [{0: "cat", 2: "dog"}.get(label, str(label)) for label in LABELS.tolist()]


def test_an_enumeration_of_one_hot_rows_names_no_column(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = PIXELS
        rows = np.eye(4, dtype="u1")[LABELS]
        file.create_dataset("y", data=rows, dtype=h5py.enum_dtype({"no": 0, "yes": 1}, basetype="u1"))
    assert read(tmp_path)[1] == [str(label) for label in LABELS.tolist()]
