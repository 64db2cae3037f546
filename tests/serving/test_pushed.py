"""Finding a pushed model, and what it answers."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from serving.manifest import write_manifest
from serving.picture_files import PictureOptions, read_picture_file
from serving.pictures import as_the_model_sees
from serving.pushed import GENERATE_BLOCK, PushedModel, find_model
from tests.serving import tiny_model
from tests.serving.picture_files.made import saved


@pytest.fixture(scope="module")
def pushed(work: Path) -> PushedModel:
    return PushedModel(work / "serving" / "3", batch=3)


def _versions(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "saved_model.pb").touch()
    return folder


def test_the_highest_number_is_the_current_model(tmp_path: Path) -> None:
    _versions(tmp_path / "serving", "9", "10", "old")
    assert find_model(work=tmp_path).name == "10"
    assert find_model(model=tmp_path / "serving").name == "10"
    assert find_model(work=tmp_path, version=9).name == "9"
    assert find_model(model=tmp_path / "serving" / "old").name == "old"


def test_a_version_still_being_copied_is_not_the_current_one(tmp_path: Path) -> None:
    _versions(tmp_path / "serving", "1")
    (tmp_path / "serving" / "2").mkdir()
    assert find_model(work=tmp_path).name == "1"


def test_a_missing_model_is_told_in_one_line_with_what_to_do(tmp_path: Path) -> None:
    _versions(tmp_path / "work" / "serving", "1", "4")
    (tmp_path / "empty").mkdir()
    for options, words in (
        ({}, "--work DIR"),
        ({"work": tmp_path, "model": tmp_path}, "--work DIR"),
        ({"work": tmp_path / "nowhere"}, "no work folder"),
        ({"work": tmp_path / "empty"}, "no model has been pushed to .*darkroom run"),
        ({"model": tmp_path / "nowhere"}, "there is no folder"),
        ({"model": tmp_path / "empty"}, "saved_model.pb is missing"),
        ({"model": tmp_path / "work"}, "try --work"),
        ({"work": tmp_path / "work", "version": 2}, "there are 1, 4"),
        ({"model": tmp_path / "work" / "serving" / "1", "version": 1}, "leave --version out"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            find_model(**options)
        assert "\n" not in str(caught.value)


def test_a_broken_model_is_told(work: Path, tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(work / "serving" / "3", tmp_path / name))

    (broken("pb") / "saved_model.pb").write_bytes(b"\x12\xff")
    (broken("json") / "model.json").write_text('{"image_shape": [8, 8]}', encoding="utf-8")
    (broken("no json") / "model.json").unlink()
    shutil.rmtree(broken("variables") / "variables")
    for name, words in (
        ("pb", "cannot be loaded"),
        ("json", "damaged"),
        ("no json", "model.json is missing"),
        ("variables", "is broken"),
    ):
        write_manifest(tmp_path / name)
        with pytest.raises(InputError, match=words) as caught:
            PushedModel(tmp_path / name).generate(1, seed=7)
        assert "\n" not in str(caught.value)


def test_a_changed_model_is_not_loaded(work: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(work / "serving" / "3", tmp_path / "model"))
    data = model / "variables" / "variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(InputError, match="has been changed since it was exported: variables/variables.data"):
        PushedModel(model)


def test_the_same_seed_draws_the_same_pictures_whatever_the_count(pushed: PushedModel) -> None:
    many = pushed.generate(3 * GENERATE_BLOCK + 5, seed=7)
    assert many.shape == (3 * GENERATE_BLOCK + 5, 8, 8, 1) and many.dtype == np.uint8
    for count in (1, GENERATE_BLOCK, GENERATE_BLOCK + 1):
        np.testing.assert_array_equal(pushed.generate(count, seed=7), many[:count])
    assert len(np.unique(many.reshape(len(many), -1), axis=0)) == len(many)
    assert not np.array_equal(pushed.generate(5, seed=8), many[:5])


def test_64_pictures_are_what_a_server_answers(pushed: PushedModel) -> None:
    request = {"count": np.int32(64), "seed": np.int64(7), "temperature": np.float32(0.5)}
    served = pushed.call("generate", **request)["images"]
    np.testing.assert_array_equal(pushed.generate(64, 7, 0.5), served)


@pytest.fixture(scope="module")
def conditional(conditional_work: Path) -> PushedModel:
    return PushedModel(conditional_work / "serving" / "1")


def test_pictures_of_a_label_are_what_the_model_draws_of_it(conditional: PushedModel) -> None:
    drawn = {label: conditional.generate(70, seed=7, label=label) for label in (None, *tiny_model.LABELS)}
    assert len({images.tobytes() for images in drawn.values()}) == 4
    for label, images in drawn.items():
        np.testing.assert_array_equal(conditional.generate(3, seed=7, label=label), images[:3])
        request = {"count": np.int32(64), "seed": np.int64(7), "temperature": np.float32(1)}
        served = conditional.call("generate", **request, label=(label or "").encode())["images"]
        np.testing.assert_array_equal(images[:64], served)


def test_a_label_that_the_model_does_not_know_is_told_with_those_it_knows(conditional: PushedModel, pushed: PushedModel) -> None:
    for label in ("hat", "Boot", ""):
        with pytest.raises(InputError, match="unknown label.*boot, sneaker, täglich") as caught:
            conditional.generate(1, seed=7, label=label)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="was trained without labels.*model.conditional=true"):
        pushed.generate(1, seed=7, label="boot")


def test_the_largest_seed_and_no_temperature(pushed: PushedModel) -> None:
    images = pushed.generate(70, seed=2**63 - 1, temperature=0.0)
    assert (images == images[0]).all()


def test_batches_do_not_show(work: Path, pushed: PushedModel, pictures: Path) -> None:
    paths = sorted(pictures.glob("*.png"))
    whole = PushedModel(work / "serving" / "3").score(paths)
    parts = pushed.score(paths)
    assert whole.paths == parts.paths == paths and not parts.unreadable
    for name in ("elbo", "reconstruction", "kl"):
        np.testing.assert_allclose(parts.values[name], whole.values[name], rtol=1e-5)
    latents = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    assert pushed.decode(latents).shape == (7, 8, 8, 1)
    assert pushed.reconstruct(paths).values["images"].shape == (4, 8, 8, 1)
    assert pushed.encode(paths).values["mean"].shape == (4, 4)


def test_a_bad_picture_is_named_and_the_others_are_answered(pushed: PushedModel, pictures: Path) -> None:
    (pictures / "1.png").write_bytes((pictures / "1.png").read_bytes()[:-20])
    (pictures / "2b.png").write_bytes(b"")
    (pictures / "2c.png").write_text("no picture", encoding="utf-8")
    (pictures / "3b.png").mkdir()
    answers = pushed.score(sorted(pictures.glob("*.png")))
    assert [path.name for path in answers.paths] == ["0.png", "2.png", "3.png"]
    assert len(answers.values["elbo"]) == 3
    assert {path.name for path, _ in answers.unreadable} == {"1.png", "2b.png", "2c.png", "3b.png"}
    assert all(reason and "\n" not in reason and "{{" not in reason for _, reason in answers.unreadable)


def test_no_readable_picture_is_an_error(pushed: PushedModel, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture", encoding="utf-8")
    with pytest.raises(InputError, match="bad.png"):
        pushed.encode([bad])


def test_interpolation_ends_at_the_two_pictures(pushed: PushedModel, pictures: Path) -> None:
    ends = [pictures / "0.png", pictures / "1.png"]
    walk = pushed.interpolate(*ends, steps=5)
    rebuilt = pushed.reconstruct(ends).values["images"].astype(int)
    assert walk.shape == (5, 8, 8, 1)
    assert np.abs(walk[[0, -1]] - rebuilt).max() <= 1
    (pictures / "1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="1.png"):
        pushed.interpolate(*ends, steps=5)


def test_progress_counts_every_picture(work: Path, pictures: Path) -> None:
    done: list[int] = []
    model = PushedModel(work / "serving" / "3", batch=3, progress=done.append)
    model.encode(sorted(pictures.glob("*.png")))
    assert done == [3, 1]
    model.close()


def test_a_signature_that_is_not_there_is_told(tmp_path: Path) -> None:
    tiny_model.save(tiny_model.TinyModel(), tmp_path / "model", without=("score",))
    (tmp_path / "one.png").write_bytes(tiny_model.picture((8, 8, 1), 0))
    with pytest.raises(InputError, match="score"):
        PushedModel(tmp_path / "model").score([tmp_path / "one.png"])


def test_model_json_is_kept(pushed: PushedModel) -> None:
    assert pushed.image_shape == (8, 8, 1) and pushed.latent_dim == 4
    assert json.loads((pushed.path / "model.json").read_text(encoding="utf-8"))["schema"] == pushed.about["schema"]


def with_options(folder: Path, **options: object) -> PushedModel:
    """A model whose model.json says how picture files are read."""
    tiny_model.save(tiny_model.TinyModel(), folder)
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps({**about, "picture_files": PictureOptions(**options).to_dict()}))
    (folder / "manifest.json").unlink()
    write_manifest(folder)
    return PushedModel(folder)


def test_picture_files_are_read_as_model_json_says(tmp_path: Path, pushed: PushedModel) -> None:
    levels = np.random.default_rng(0).integers(0, 4096, (8, 8), np.uint16)
    (tmp_path / "deep.png").write_bytes(saved(levels, "PNG"))
    (tmp_path / "plain.png").write_bytes(saved(np.rint(levels / 4095 * 255).astype(np.uint8), "PNG"))
    model = with_options(tmp_path / "model", levels=4095)
    expected = pushed.encode([tmp_path / "plain.png"]).values["mean"]
    np.testing.assert_array_equal(model.encode([tmp_path / "deep.png"]).values["mean"], expected)
    assert pushed.options == PictureOptions() and model.options == PictureOptions(levels=4095)
    walks = [m.interpolate(tmp_path / name, tmp_path / name, 2) for m, name in ((model, "deep.png"), (pushed, "plain.png"))]
    np.testing.assert_array_equal(*walks)
    found = as_the_model_sees(tmp_path / "deep.png", (8, 8, 1), {}, model.options)
    np.testing.assert_array_equal(found, as_the_model_sees(tmp_path / "plain.png", (8, 8, 1), {}))


def test_a_model_that_reads_files_in_unknown_ways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        with_options(tmp_path / "model", icc="invert")


def test_a_gif_that_the_graph_does_not_read_is_read_as_at_ingestion(tmp_path: Path, pushed: PushedModel) -> None:
    """TensorFlow takes a BMP of which the table of greys is short for one that is cut off."""
    levels = np.random.default_rng(0).integers(0, 16, (8, 8), np.uint8)
    data = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54 + 64) + struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 0, 0, 0, 0, 16, 0)
    data += bytes(level for grey in range(16) for level in (grey, grey, grey, 0)) + levels[::-1].tobytes()
    (tmp_path / "a.bmp").write_bytes(data)
    (tmp_path / "a.png").write_bytes(read_picture_file(data, anew=True).data)
    (tmp_path / "b.png").write_bytes(tiny_model.picture((8, 8, 1), 0))
    names = [tmp_path / name for name in ("b.png", "a.bmp", "a.png")]
    answers = pushed.encode(names)
    assert not answers.unreadable and answers.paths == names
    np.testing.assert_allclose(answers.values["mean"][1], answers.values["mean"][2], rtol=1e-5)
