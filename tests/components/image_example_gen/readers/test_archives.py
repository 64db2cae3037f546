"""Archives: what is read of them, and what they may not do."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import find_sources
from components.image_example_gen.readers import archives
from components.image_example_gen.readers.archives import DAMAGED, ENDLESS, LEADS_OUT
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures

SUFFIXES = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]


def pack(path, members: dict[str, bytes]):
    """Writes an archive of the kind that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    kind = path.name.rsplit(".", 1)[1].replace("tgz", "gz").replace("tar", "")
    with tarfile.open(path, f"w:{kind}") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pictures(count: int, folder: str = "", first: int = 0) -> dict[str, bytes]:
    return {f"{folder}{seed:03d}.png": encode(picture(seed)) for seed in range(first, first + count)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_with_the_labels_of_their_folders(tmp_path, suffix):
    archive = pack(
        tmp_path / f"pets{suffix}",
        {**pictures(20, "pets/cat/"), **pictures(20, "pets/dog/", 20), "pets/README.md": b"x", "pets/.hidden.png": b"x"},
    )
    (container,) = find_sources(str(archive)).containers
    assert (container.count, container.top, container.others) == (40, "pets/", {".md": 1})
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
        f"odd{suffix}/../out.png": LEADS_OUT,
        f"odd{suffix}//root.png": LEADS_OUT,
        f"odd{suffix}/more.zip": "an archive within an archive, which is not read: unpack it",
        f"odd{suffix}/cut.png": "not a PNG, JPEG, GIF, WebP, BMP or TIFF picture, whatever the name says",
    }
    if suffix == ".tar":
        with tarfile.open(path, "a") as archive:
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        expected["odd.tar/link.png"] = "a link within its archive, which is not followed"
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == expected and len(result.examples()) == 20


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_archive_loses_no_more_than_what_follows(tmp_path, suffix):
    path = pack(tmp_path / f"in/cut{suffix}", pictures(200))
    pack(tmp_path / "in/whole.zip", pictures(60, "", 300))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {f"cut{suffix}": DAMAGED}
    found = len(result.examples())
    assert found == 60 if suffix == ".zip" else 60 <= found < 260  # the list of a zip's members stands at its end
    assert found > 60 or suffix != ".tar"


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
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1 << 20)
    pack(tmp_path / f"in/bomb{suffix}", {**pictures(20), "zeros.png": bytes(64 << 20), **pictures(20, "behind/", 50)})
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.rejects == {f"bomb{suffix}": ENDLESS} and len(result.examples()) == 20


def test_a_member_larger_than_allowed_is_not_read(tmp_path):
    pack(tmp_path / "in/a.tar", {**pictures(30), "large.png": bytes(3 << 20)})
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(max_file_megabytes=2))
    assert result.rejects == {"a.tar/large.png": "larger than 2 megabytes: not read"}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_no_archive_at_all(tmp_path, suffix):
    (tmp_path / "in").mkdir()
    (tmp_path / f"in/a{suffix}").write_bytes(b"<html>not found</html>")
    pack(tmp_path / "in/b.zip", pictures(30))
    assert ingest(tmp_path / "in", tmp_path / "out").rejects == {f"a{suffix}": DAMAGED}


def test_a_zip_with_a_name_that_is_not_the_utf_8_it_claims_to_be(tmp_path):
    folder = write_pictures(tmp_path / "in", 20)
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        archive.writestr("\u00fc.png", encode(picture(1)))
    data = (folder / "some.zip").read_bytes()
    (folder / "some.zip").write_bytes(data.replace("\u00fc".encode(), b"\xfc\xfc"))
    result = ingest(folder, tmp_path / "out")
    assert len(result.examples()) == 20
    assert result.rejects == {"some.zip": "a zip archive with a name that claims to be UTF-8 and is not: pack it anew"}
