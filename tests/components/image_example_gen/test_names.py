"""Names: pictures, and what is passed over; the serving commands go by the same list."""

from pathlib import Path

import pytest
from PIL import Image

from components.image_example_gen.names import OTHER_SUFFIXES, PICTURE_SUFFIXES, is_passed_over, is_picture
from serving.pictures import list_pictures

PASSED_OVER = ["@eaDir", ".thumbnails", "__MACOSX", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"]
PASSED_OVER += ["Thumbs.db", "desktop.ini", "._x.png", ".DS_Store", ".git", "@Recycle"]


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_systems_leave_is_passed_over_however_it_is_written(name):
    assert is_passed_over(name) and is_passed_over(name.upper()) and is_passed_over(name.lower())


@pytest.mark.parametrize(
    "name", ["cat", "eaDir", "MACOSX", "recycle", "thumbs", "lost", "x.png", "a.b", "@", "#1", "$", ".", "..", ""]
)
def test_what_a_person_may_call_so_is_not(name):
    assert not is_passed_over(name)


def test_suffixes_are_small_and_in_one_list():
    both = PICTURE_SUFFIXES + OTHER_SUFFIXES
    assert len(set(both)) == len(both) and all(suffix == suffix.lower() and suffix[0] == "." for suffix in both)


@pytest.mark.parametrize(
    "suffix", [".pgm", ".PPM", ".pbm", ".pnm", ".pfm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi", ".apng", ".heic", ".Heif"]
)
def test_pictures_of_these_kinds_are_read(suffix):
    assert is_picture(f"x{suffix}") and suffix.lower() in PICTURE_SUFFIXES


def test_pictures_that_are_not_read_are_taken_up_to_be_refused():
    assert all(is_picture(f"x{suffix}") for suffix in (".tga", ".ico", ".svg"))
    assert not any(is_picture(name) for name in ("notes.txt", "png", "x.png.txt", ""))


def test_serving_lists_no_thumbnails_unless_their_folder_is_named(tmp_path: Path):
    for folder in (".", "more", "@eaDir", "more/__MACOSX", ".thumbnails", "#recycle"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(tmp_path / folder / "x.png")
    (tmp_path / "._x.png").write_bytes(b"")
    (tmp_path / "Thumbs.db").write_bytes(b"")
    assert list_pictures([tmp_path]) == [tmp_path / "more" / "x.png", tmp_path / "x.png"]
    assert list_pictures([tmp_path / "@eaDir"]) == [tmp_path / "@eaDir" / "x.png"]
