"""Archives: what is read of them, and what they may not do."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import json
import random
import tarfile
import zipfile

import pytest

from common.errors import InputError
from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.readers.archives import ArchivePictures, find
from components.image_example_gen.storage import archive_members
from components.image_example_gen.storage.archive_members import ENDLESS
from components.image_example_gen.storage.files import FoundFile, open_file, stat_file
from tests.components.image_example_gen.fuzz.damage import at_random
from tests.components.image_example_gen.ingestion import encode, ingest, pack, picture

SUFFIXES = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]


def find_in(path, config: DataConfig = DataConfig(), takes=lambda name: False) -> ArchivePictures | Rejected:
    return find(str(path.parent), stat_file(str(path.parent), path.name), config, takes)


def read_in(path, config: DataConfig = DataConfig()) -> list[Encoded | Rejected]:
    found = find_in(path, config)
    return list(found.read(str(path.parent), 0, found.count, config))


def encrypted(data: bytes, names: list[str]) -> bytes:
    """A zip archive whose members of these names say that they are encrypted, in both of their headers."""
    data = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in names:
            data[archive.getinfo(name).header_offset + 6] |= 1
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        name = data[at + 46 : at + 46 + int.from_bytes(data[at + 28 : at + 30], "little")]
        data[at + 8] |= name.decode() in names
    return bytes(data)


def pictures(count: int, folder: str = "", first: int = 0) -> dict[str, bytes]:
    return {f"{folder}{seed:03d}.png": encode(picture(seed)) for seed in range(first, first + count)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_with_the_labels_of_their_folders(tmp_path, suffix):
    archive = pack(
        tmp_path / f"pets{suffix}",
        {**pictures(20, "pets/cat/"), **pictures(20, "pets/dog/", 20), "pets/README.md": b"x", "pets/.hidden.png": b"x"},
    )
    (container,) = find_sources(str(archive)).containers
    assert (container.count, container.others, container.notes) == (40, {".md": 1}, ())
    result = ingest(archive, tmp_path / "out")
    assert sum(result.summary["pictures"].values()) == 40 and not result.rejects
    examples = result.examples()
    assert examples[f"pets{suffix}/pets/cat/003.png"]["image/label"] == b"cat"
    assert examples[f"pets{suffix}/pets/dog/023.png"]["image/encoded"] == encode(picture(23))


def test_split_folders_within_and_without_a_folder_around_them(tmp_path):
    members = {**pictures(30, "train/cat/"), **pictures(5, "test/cat/", 30)}
    flat = pack(tmp_path / "flat.zip", members)
    wrapped = pack(tmp_path / "wrapped.tar", {f"all/{name}": data for name, data in members.items()})
    for archive in (flat, wrapped):
        result = ingest(archive, tmp_path / f"{archive.name}-out")
        assert result.summary["pictures"]["test"] == 5 and set(result.summary["labels"]["test"]) == {"cat"}


def test_an_archive_for_each_split_beside_loose_pictures(tmp_path):
    pack(tmp_path / "in/train.tar", pictures(30))
    pack(tmp_path / "in/cats/val-00001.zip", pictures(7, "", 30))
    pack(tmp_path / "in/test.tgz", pictures(6, "", 40))
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.summary["pictures"] == {"train": 30, "eval": 7, "test": 6}
    assert result.summary["labels"]["eval"] == {"cats": 7}


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_names_that_lead_out_links_and_archives_within(tmp_path, suffix):
    path = pack(
        tmp_path / f"in/odd{suffix}",
        {
            **pictures(20),
            "../out.png": encode(picture(50)),
            "/root.png": encode(picture(51)),
            "more.zip": b"PK",
            "cut.png": b"\x89PNG",
        },
    )
    expected = {
        f"odd{suffix}/../out.png": reasons.LEADS_OUT,
        f"odd{suffix}//root.png": reasons.LEADS_OUT,
        f"odd{suffix}/more.zip": reasons.NESTED,
        f"odd{suffix}/cut.png": "not a picture in a supported format, despite its name",
    }
    if suffix == ".tar":
        with tarfile.open(path, "a") as archive:
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        expected["odd.tar/link.png"] = "a link within its archive, which is not followed"
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == expected and len(result.examples()) == 20


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".zip"])
def test_a_damaged_archive_loses_no_more_than_what_follows(tmp_path, suffix):
    path = pack(tmp_path / f"in/cut{suffix}", pictures(200))
    pack(tmp_path / "in/whole.zip", pictures(60, "", 300))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = find_in(path)
    if isinstance(found, Rejected):  # bzip2 packs all of it at once
        assert suffix == ".tar.bz2" and found.reason == f"truncated at byte {len(data) // 2:,}"
        return
    assert found.damaged and found.notes == (f"cut{suffix}: truncated at byte {len(data) // 2:,}",)
    *read, last = found.read(str(path.parent), 0, found.count, DataConfig())
    assert last == Rejected(f"cut{suffix}", reasons.ARCHIVE_DAMAGED) and 0 < len(read) <= found.count < 200
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects[f"cut{suffix}"] == reasons.ARCHIVE_DAMAGED and len(result.examples()) == 60 + sum(
        isinstance(item, Encoded) for item in read
    )


def test_a_member_of_a_zip_that_is_damaged_or_encrypted(tmp_path):
    path = pack(tmp_path / "in/a.zip", pictures(20))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("003.png")
        at = info.header_offset + 30 + len(info.filename) + 20
        central = data.index(b"PK\x01\x02", archive.getinfo("019.png").header_offset)
    data[at] ^= 0xFF
    data[central + 8] |= 1  # the flag of encryption, of the first member
    path.write_bytes(data)
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {
        "a.zip/000.png": "encrypted within its archive",
        "a.zip/003.png": "damaged within its archive",
    }
    assert len(result.examples()) == 18


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_that_expands_without_end(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(archive_members, "ALWAYS_ALLOWED", 1 << 20)
    pack(tmp_path / f"in/bomb{suffix}", {**pictures(20), "zeros.png": bytes(64 << 20), **pictures(20, "behind/", 50)})
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {f"bomb{suffix}": ENDLESS} and len(result.examples()) == 20


def test_a_member_larger_than_allowed_is_not_read(tmp_path):
    pack(tmp_path / "in/a.tar", {**pictures(30), "large.png": bytes(3 << 20)})
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(max_file_megabytes=2))
    assert result.rejects == {"a.tar/large.png": "larger than 2 megabytes: not read"}


def reason_of(path, data: bytes) -> str:
    path.write_bytes(data)
    found = find_in(path)
    assert isinstance(found, Rejected) and found.path == path.name and len(found.reason) < 120
    return found.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html><body>Not found</body></html>", "an HTML page"),
        (b"\n  <!DOCTYPE html>", "an HTML page"),
        (b"Not Found", "it begins with 'Not Found'"),
        (b"\x00\x01\x02", "it begins with 00 01 02"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "git lfs pull fetches it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not read: unpack it"),
        (b"Rar!\x1a\x07", "a RAR archive, which is not read: unpack it"),
        (gzip.compress(b"text", mtime=0), "a gzip file that holds one file, not a"),
    ],
    ids=["empty", "page", "doctype", "text", "bytes", "lfs", "7z", "rar", "gzip"],
)
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_why_a_file_is_no_archive(tmp_path, suffix, data, reason):
    said = reason_of(tmp_path / f"a{suffix}", data)
    kind = "zip" if suffix == ".zip" else "tar"
    assert reason in said and (said == "empty" or f"{kind} archive" in said)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz", ".tar.xz"])
@pytest.mark.parametrize("called", [".zip", ".tar", ".tar.gz"])
def test_an_archive_is_read_as_what_it_is_whatever_its_name_says(tmp_path, suffix, called):
    path = pack(tmp_path / f"a{suffix}", pictures(3)).rename(tmp_path / f"b{called}")
    assert [item.data for item in read_in(path)] == list(pictures(3).values())


def test_what_an_archive_without_pictures_holds(tmp_path):
    path = tmp_path / "a.zip"
    whole = pack(path, pictures(20)).read_bytes()
    assert reason_of(path, whole[: len(whole) // 2]).startswith(f"truncated at byte {len(whole) // 2:,}")
    assert reason_of(path, pack(path, {}).read_bytes()) == "an archive without files"
    assert reason_of(path, pack(path, {"a.txt": b"1", "b.TXT": b"1", "c": b"1"}).read_bytes()) == (
        "holds no pictures, only 2 .txt, 1 without a suffix"
    )
    assert reason_of(path, pack(path, {"deep/inner.zip": b"PK", "README.md": b"1"}).read_bytes()) == (
        "an archive within an archive (deep/inner.zip), which is not read: unpack it"
    )
    assert reason_of(path, pack(path, {f"{'n' * 300}.{'s' * 300}{number}": b"1" for number in range(9)}).read_bytes())
    assert reason_of(path, pack(path, {"../a.png": b"1"}).read_bytes()) == f"nothing in it can be read: {reasons.LEADS_OUT}"


def test_encrypted_pictures_are_said_alone_and_beside_others(tmp_path):
    members = {**pictures(4), "a.npy": b"1"}
    path = pack(tmp_path / "a.zip", members)
    data = path.read_bytes()
    path.write_bytes(encrypted(data, list(members)))
    assert find_in(path) == Rejected("a.zip", "all its files are encrypted: unpack it with its password", 4)
    path.write_bytes(encrypted(data, list(pictures(4))))
    assert find_in(path) == Rejected("a.zip", f"nothing in it can be read: {reasons.MEMBER_ENCRYPTED}", 4)
    path.write_bytes(encrypted(data, ["001.png", "003.png", "a.npy"]))
    assert [type(item).__name__ for item in read_in(path)] == ["Encoded", "Rejected", "Encoded", "Rejected"]
    assert {item.reason for item in read_in(path) if isinstance(item, Rejected)} == {reasons.MEMBER_ENCRYPTED}
    assert find_in(path, takes=lambda name: name.endswith(".npy")).notes == (
        f"a.zip: 1 file of pictures in it not read: {reasons.MEMBER_ENCRYPTED}",
    )


def test_a_header_in_front_of_a_member_that_is_encrypted_where_the_list_says_no(tmp_path):
    path = pack(tmp_path / "a.zip", pictures(2))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    path.write_bytes(data)
    first, second = read_in(path)
    assert first == Rejected("a.zip/000.png", "damaged within its archive") and isinstance(second, Encoded)


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_thumbnails_and_what_systems_add_are_passed_over(tmp_path, suffix):
    added = ("__MACOSX/cat/._1.png", "cat/@eaDir/1.png", ".thumbnails/1.png", "cat/Thumbs.db", "cat/.DS_Store", "./.hidden.png")
    path = pack(tmp_path / f"a{suffix}", {**pictures(2, "cat/"), **pictures(2, "./dog/"), **dict.fromkeys(added, b"1")})
    assert [(item.path, item.label) for item in read_in(path)] == [
        (f"a{suffix}/cat/000.png", "cat"),
        (f"a{suffix}/cat/001.png", "cat"),
        (f"a{suffix}/dog/000.png", "dog"),
        (f"a{suffix}/dog/001.png", "dog"),
    ]
    assert not find_in(path).others


def test_names_of_a_windows_archive(tmp_path):
    path = pack(tmp_path / "a.tar", {f"cat\\{name}": data for name, data in pictures(2).items()})
    assert [(item.path, item.label) for item in read_in(path)] == [("a.tar/cat/000.png", ""), ("a.tar/cat/001.png", "")]


def old_zip(path, names: list[bytes]):
    """Writes a zip archive whose names are in an encoding that nothing says."""
    plain = {f"{number:04d}".ljust(len(name), "x"): name for number, name in enumerate(names)}
    data = pack(path, dict.fromkeys(plain, encode(picture(1)))).read_bytes()
    for stands_for, name in plain.items():
        data = data.replace(stands_for.encode(), name)
    path.write_bytes(data)
    return path


def test_names_in_an_old_encoding(tmp_path):
    path = old_zip(tmp_path / "old.zip", [f"{label}/{label}1.png".encode("cp932") for label in ("\u732b\u732b", "\u72ac\u72ac")])
    (note,) = find_in(path).notes
    assert note.startswith("old.zip: names that are not UTF-8, such as ") and "data.archive_encoding=cp932" in note
    assert [item.label for item in read_in(path, DataConfig(archive_encoding="cp932"))] == ["\u732b\u732b", "\u72ac\u72ac"]
    assert not find_in(path, DataConfig(archive_encoding="cp932")).notes
    assert "nor are they ascii" in find_in(path, DataConfig(archive_encoding="ascii")).notes[0]
    assert len(read_in(path, DataConfig(archive_encoding="ascii"))) == 2


def test_names_that_are_utf_8_and_do_not_say_so(tmp_path):
    path = old_zip(tmp_path / "linux.zip", ["gr\u00fcn/1.png".encode(), "r\u00f6t/2.png".encode()])
    assert not find_in(path).notes
    assert [item.label for item in read_in(path)] == ["gr\u00fcn", "r\u00f6t"]


def test_a_short_name_in_an_old_encoding_may_look_like_utf_8_until_a_person_says_what_it_is(tmp_path):
    path = old_zip(tmp_path / "old.zip", ["\u732b/1.png".encode("gbk"), b"dog/2.png"])
    assert [item.label for item in read_in(path)] == ["\u00e8", "dog"]
    assert [item.label for item in read_in(path, DataConfig(archive_encoding="gbk"))] == ["\u732b", "dog"]


def test_names_in_an_old_encoding_in_a_tar(tmp_path):
    members = {
        f"{label}/{seed}.png".encode("gbk").decode("utf-8", "surrogateescape"): encode(picture(seed))
        for seed, label in enumerate(("\u82b1\u732b", "\u72d7"))
    }
    path = tmp_path / "old.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert "names that are not UTF-8" in find_in(path).notes[0] and len(read_in(path)) == 2
    assert [item.label for item in read_in(path, DataConfig(archive_encoding="gbk"))] == ["\u82b1\u732b", "\u72d7"]


@pytest.mark.parametrize("encoding", ["cp9999", "rot13", "hex", "a\0b"])
def test_an_encoding_that_is_none(tmp_path, encoding):
    path = pack(tmp_path / "a.zip", pictures(1))
    with pytest.raises(InputError, match="data.archive_encoding.*is no encoding"):
        find_in(path, DataConfig(archive_encoding=encoding))


def test_a_zip_with_a_name_that_is_not_the_utf_8_it_claims_to_be(tmp_path):
    path = pack(tmp_path / "a.zip", {"\u00fc.png": encode(picture(1)), **pictures(3)})
    path.write_bytes(path.read_bytes().replace("\u00fc".encode(), b"\xfc\xfc"))
    assert [item.path for item in read_in(path)] == ["a.zip/\ufffd\ufffd.png", *(f"a.zip/{name}" for name in pictures(3))]


def test_arrays_in_an_archive_are_left_to_their_readers(tmp_path):
    for suffix in (".zip", ".tar.gz"):
        path = pack(tmp_path / f"a{suffix}", {"gzip/x-idx3-ubyte.gz": b"123", "b.npy": b"1", "c.txt": b"1", "d.zip": b"PK"})
        found = find_in(path, takes=lambda name: name.endswith((".gz", ".npy", ".zip")))
        time = path.stat().st_mtime_ns
        assert found.count == 0 and found.units(10) == [(0, 0)] and found.others == {".txt": 1}
        assert found.inner == (FoundFile(f"a{suffix}/gzip/x-idx3-ubyte.gz", 3, time), FoundFile(f"a{suffix}/b.npy", 1, time))
        assert found.notes == (f"a{suffix}: d.zip in it is an archive, which is not read: unpack it",)


def test_files_that_may_hold_labels_are_named_where_there_are_none(tmp_path):
    beside = {**dict.fromkeys(("a.txt", "b.txt", "x.xml"), b"1"), "README.txt": b"1"}
    (note,) = find_in(pack(tmp_path / "a.zip", {**pictures(5), **beside})).notes
    assert note.startswith("a.zip: no labels; 2 .txt, 1 .xml in it are not used")
    assert not find_in(pack(tmp_path / "b.zip", {**pictures(5, "cat/"), **pictures(5, "dog/"), **beside})).notes
    assert not find_in(tmp_path / "a.zip", DataConfig(label_pattern="(.*)\\d")).notes
    assert not find_in(tmp_path / "a.zip", DataConfig(label_file="labels.csv")).notes


ROWS = {f"{number:03d}.png": "cat" if number % 2 else "dog" for number in range(60)}


def table(name: str, above: str = "") -> bytes:
    """Labels of sixty pictures, in the format that a name says."""
    if name.endswith(".jsonl"):
        lines = [json.dumps({"file_name": f"{above}{path}", "label": label}) for path, label in ROWS.items()]
    else:
        tab = "\t" if name.endswith(".tsv") else ","
        lines = [f"file_name{tab}label", *(f"{above}{path}{tab}{label}" for path, label in ROWS.items())]
    return "\n".join(lines).encode()


def labels_in(path, out, config: DataConfig = DataConfig()) -> dict[str, str]:
    """The labels of all pictures by their files' names."""
    examples = ingest(path, out, config).examples()
    return {name.rpartition("/")[2]: example["image/label"].decode() for name, example in examples.items()}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_metadata_in_an_archive_gives_labels_as_in_a_folder(tmp_path, suffix, name):
    pack(tmp_path / f"a{suffix}", {f"set/{name}": table(name, "images/"), **pictures(60, "set/images/")})
    assert labels_in(tmp_path / f"a{suffix}", tmp_path / "out") == ROWS
    sources = find_sources(str(tmp_path / f"a{suffix}"))
    assert not sources.notes and not sources.others


def test_metadata_of_two_archives_beside_pictures_are_of_their_own_pictures(tmp_path):
    for number in range(2):
        path = tmp_path / f"in/{number}.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.csv", f"file_name,label\nx.png,label {number}\n")
            archive.writestr("x.png", encode(picture(number)))
    for number in range(60):
        (tmp_path / f"in/{number}.png").write_bytes(encode(picture(number + 10)))
    examples = ingest(tmp_path / "in", tmp_path / "out").examples()
    assert {path: example["image/label"] for path, example in examples.items() if example["image/label"]} == {
        f"{number}.zip/x.png": f"label {number}".encode() for number in range(2)
    }


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "sub/labels.jsonl"])
def test_another_table_in_an_archive_is_named_and_taken_where_that_is_asked(tmp_path, name):
    pack(tmp_path / "a.zip", {name: table(name, "images/"), **pictures(60, "images/")})
    sources = find_sources(str(tmp_path / "a.zip"))
    assert sources.notes == (f"a.zip/{name} has labels that are not used: data.label_file=a.zip/{name} takes them",)
    assert labels_in(tmp_path / "a.zip", tmp_path / "out", DataConfig(label_file=f"a.zip/{name}")) == ROWS


def test_metadata_in_an_archive_that_is_of_no_use_is_named(tmp_path):
    pack(tmp_path / "a.zip", {"metadata.csv": b"id,breed\n1,husky\n", **pictures(60)})
    assert find_sources(str(tmp_path / "a.zip")).notes == ("a.zip/metadata.csv is not used: it has no columns file_name and label",)


def test_what_was_found_depends_on_the_configuration_and_the_file(tmp_path):
    path = pack(tmp_path / "a.zip", {**pictures(3, "train/cat/"), **pictures(3, "test/cat/", 5)})
    assert {item.split for item in read_in(path)} == {"train", "test"}
    assert {item.split for item in read_in(path, DataConfig(splits="labels"))} == {None}
    assert find_in(path).own_splits == {"train", "test"} and not find_in(path, DataConfig(splits="labels")).own_splits
    pack(path, pictures(4))
    assert find_in(path).count == 4
    assert find_in(path) is find_in(path, DataConfig(max_rejects=0.1))  # a packed tar is unpacked once


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_mutated_archives_never_raise(tmp_path, suffix):
    rng = random.Random(suffix)
    path = pack(tmp_path / f"a{suffix}", {**pictures(6, "gr\u00fcn/"), "b/1.cls": b"3", "b/1.png": b"1", f"{'n' * 120}.npy": b"1"})
    whole = path.read_bytes()
    for number in range(300):
        path.write_bytes(at_random(whole, rng, whole[::-1]))
        file = dataclasses.replace(stat_file(str(tmp_path), path.name), mtime_ns=number)  # written within one tick of the clock
        found = find(str(tmp_path), file, DataConfig(), lambda name: name.endswith(".npy"))
        if isinstance(found, Rejected):
            assert 0 < len(found.reason) < 120
            continue
        assert all(len(note) < 200 for note in found.notes)
        for item in found.read(str(tmp_path), 0, found.count, DataConfig()):
            assert isinstance(item, Rejected) or len(item.data) < 1e6
        for member in found.inner:
            with contextlib.suppress(OSError):
                open_file(f"{tmp_path}/{member.path}").read()
