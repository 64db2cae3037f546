"""The commands, as they are typed."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import click
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result
from PIL import Image

from serving.commands import COMMANDS
from serving.manifest import write_manifest
from tests.serving import tiny_model
from tests.serving.explorer import tiny_program

CLI = click.Group("darkroom", commands={command.name: command for command in COMMANDS})


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(CLI, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result


def refused(*arguments: object) -> str:
    """Runs a command that must end with status 2 and one line on standard error; returns that line."""
    result = run(*arguments, status=2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_generate_writes_a_sheet_and_says_so(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "x.png"
    assert run("generate", "--work", work, "--out", out).output == f"wrote 64 pictures to {out}\n"
    assert pixels(out).shape[1] >= 600
    assert [file.name for file in out.parent.iterdir()] == ["x.png"]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder of one picture and one of it by a link, and of links that lead elsewhere."""
    for name in ("in/cat", "else/dog", "in/.hidden"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (16, 16)).save(tmp_path / name / "1.png")
    targets = {"dog": "../else/dog", "again": "cat", "kept": ".hidden", "gone": "cow", "loop.png": "loop.png", "a.png": "b.png"}
    for name, target in (targets | {"file.png": "../else/dog/1.png", ".link": "/", "notes.txt": "gone.txt"}).items():
        (tmp_path / "in" / name).symlink_to(target)
    return tmp_path / "in"


@pytest.mark.parametrize("command", ["encode", "score", "reconstruct"])
def test_links_that_are_not_followed_are_named(command: str, work: Path, tmp_path: Path, linked: Path) -> None:
    result = run(command, "--work", work, linked, "--out", tmp_path / ("out.csv" if command != "reconstruct" else "out"))
    assert result.stderr.splitlines() == [
        f"left out {linked}/dog: a link that leads out of the folder: name it as well",
        f"left out {linked}/gone: a link that leads nowhere",
        f"left out {linked}/kept: a link that leads out of the folder: name it as well",
        f"left out {linked}/notes.txt: a link that leads nowhere",
        f"left out {linked}/a.png: No such file or directory",
        f"left out {linked}/loop.png: Too many levels of symbolic links",
    ]
    assert result.stdout.startswith("wrote 2 ") and result.stdout.endswith("; left out 2 pictures that could not be read\n")


def test_a_folder_of_nothing_but_links_out_of_it_says_so(work: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/dog").symlink_to("../else")
    assert "in/dog: a link that leads out of" in refused("encode", "--work", work, tmp_path / "in")


def test_generate_is_repeated_by_its_seed(work: Path, tmp_path: Path) -> None:
    sheets = []
    for name, options in (("a", ()), ("b", ("--seed", 7)), ("c", ("--seed", 8)), ("d", ("--temperature", 0.5))):
        out = tmp_path / f"{name}.png"
        run("generate", "--model", work / "serving", "--count", 5, "--out", out, *options)
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1]
    assert len(set(sheets)) == 3


def test_generate_draws_pictures_of_a_label(conditional_work: Path, tmp_path: Path) -> None:
    sheets = []
    for name, options in (("any", ()), ("a", ("--label", "boot")), ("b", ("--label", "täglich"))):
        out = tmp_path / f"{name}.png"
        result = run("generate", "--work", conditional_work, "--count", 5, "--out", out, *options)
        assert result.output == f"wrote 5 pictures to {out}\n"
        sheets.append(out.read_bytes())
    assert len(set(sheets)) == 3


def test_a_label_that_is_not_known_is_told_in_one_line(work: Path, conditional_work: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    line = refused("generate", "--work", conditional_work, "--label", "hat", "--out", out)
    assert "unknown label 'hat': the model knows boot, sneaker, täglich" in line
    line = refused("generate", "--work", work, "--label", "boot", "--out", out)
    assert "was trained without labels" in line and "model.conditional=true" in line
    assert not out.exists()


def test_generate_writes_a_folder_of_the_models_own_pictures(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert run("generate", "--work", work, "--count", 70, "--out", out).output == f"wrote 70 pictures to {out}/\n"
    assert sorted(file.name for file in out.iterdir()) == [f"{index:05d}.png" for index in range(70)]
    assert pixels(out / "00069.png").shape == (8, 8)
    assert [file.name for file in tmp_path.iterdir()] == ["new"]


def test_a_sheet_replaces_an_earlier_one_and_a_folder_does_not(work: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.png").write_text("old", encoding="utf-8")
    run("generate", "--work", work, "--count", 1, "--out", tmp_path / "x.png")
    run("generate", "--work", work, "--count", 1, "--out", tmp_path / "empty")
    assert pixels(tmp_path / "x.png").any()
    assert "holds files already" in refused("generate", "--work", work, "--out", tmp_path / "empty")


def test_a_folder_is_written_whole_or_not_at_all(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Image.Image.save

    def fail(image: Image.Image, file: Path, **options: object) -> None:
        if Path(file).name == "00003.png":
            raise OSError(28, "No space left on device")
        saved(image, file, **options)

    monkeypatch.setattr(Image.Image, "save", fail)
    run("generate", "--work", work, "--out", tmp_path / "new", status=1)
    assert not list(tmp_path.iterdir())


def test_reconstruct_lays_originals_beside_reconstructions(work: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.png"
    assert run("reconstruct", "--work", work, pictures, "--out", out).output == f"wrote 5 pictures to {out}\n"
    run("reconstruct", "--work", work, pictures / "0.png", "--out", tmp_path / "one.png")
    sheet, gap = pixels(tmp_path / "one.png"), 10
    scale = (sheet.shape[1] - 2 * gap) // 16
    np.testing.assert_array_equal(sheet[gap:-gap:scale, gap:-gap:scale][:8, :8], pixels(pictures / "0.png"))


def test_reconstruct_writes_a_folder_under_the_pictures_names(colour_work: Path, pictures: Path, tmp_path: Path) -> None:
    run("reconstruct", "--work", colour_work, pictures / "more", pictures / "2.png", "--out", tmp_path / "rebuilt")
    assert sorted(file.name for file in (tmp_path / "rebuilt").iterdir()) == ["00000-colour.png", "00001-2.png"]
    assert pixels(tmp_path / "rebuilt" / "00000-colour.png").shape == (6, 9, 3)


def test_interpolate_between_pictures_and_between_draws(work: Path, pictures: Path, tmp_path: Path) -> None:
    run("interpolate", "--work", work, pictures / "0.png", pictures / "1.png", "--steps", 4, "--out", tmp_path / "walk")
    assert len(list((tmp_path / "walk").iterdir())) == 4
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        run("interpolate", "--work", work, "--seed", seed, "--out", tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_explore_writes_a_page_of_the_model(tmp_path: Path) -> None:
    """Of the run that pushed it, with its pictures; of a copied model, without; of one that has no decoder, none."""
    model = tmp_path / "work" / "serving" / "3"
    tiny_model.save(tiny_model.TinyModel(), model)
    assert "train it anew" in refused("explore", "--model", model, "--export", tmp_path / "x.html")
    tiny_program.save(model)
    write_manifest(model)
    alone = tmp_path / "new" / "alone.html"
    written = run("explore", "--work", tmp_path / "work", "--export", alone).output
    assert written == f"wrote the explorer, {alone.stat().st_size / 1e6:.1f} MB, to {alone}\n"
    assert '"held_out": null' in alone.read_text()
    for run_id, version in (("1", 3), ("2", 3), ("3", 2)):
        report = tmp_path / "work" / "runs" / run_id / "report"
        report.mkdir(parents=True)
        (report / "explorer.html").write_text(f"page of run {run_id}")
        (report.parent / "verdict.json").write_text(json.dumps({"model": {"version": version}}))
    run("explore", "--work", tmp_path / "work", "--export", tmp_path / "whole.html")
    assert (tmp_path / "whole.html").read_text() == "page of run 2"
    assert "name a .html file" in refused("explore", "--model", model, "--export", tmp_path / "x.png")
    (model / "model.json").write_text("{}")
    assert "another SHA-256" in refused("explore", "--model", model, "--export", tmp_path / "x.html")


def test_explore_shows_two_versions_of_one_latent_space(tmp_path: Path) -> None:
    for version, labels in (("1", ()), ("2", ()), ("3", ("a", "b"))):
        model = tiny_model.save(tiny_model.TinyModel(), tmp_path / "models" / version)
        tiny_program.save(model, labels)
        write_manifest(model)
    given, out = ("explore", "--model", tmp_path / "models", "--version", 2, "--export", tmp_path / "x.html"), tmp_path / "x.html"
    run(*given, "--beside", 1)
    assert '"beside": {"name": "1"' in out.read_text(encoding="utf-8")
    assert "versions 2 and 3 cannot be shown side by side: they have other labels" in refused(*given, "--beside", 3)
    assert "there is no version 7" in refused(*given, "--beside", 7)


def test_explore_that_others_can_reach_needs_a_token(tmp_path: Path) -> None:
    model = tiny_model.save(tiny_model.TinyModel(), tmp_path / "3")
    tiny_program.save(model)
    write_manifest(model)
    assert "choose a --token" in refused("explore", "--model", model, "--host", "0.0.0.0")


def test_manifold_maps_two_axes(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.png"
    assert "wrote 25 pictures" in run("manifold", "--work", work, "--axes", "2,3", "--steps", 5, "--out", out).output
    assert pixels(out).shape[0] == pixels(out).shape[1] >= 600


def test_encode_writes_a_row_of_codes_for_each_picture(work: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "codes.csv"
    assert run("encode", "--work", work, pictures, "--out", out).output == f"wrote 5 rows to {out}\n"
    table = rows(out.read_text(encoding="utf-8"))
    assert list(table[0]) == ["path"] + [f"mean_{i}" for i in range(4)] + [f"log_variance_{i}" for i in range(4)]
    assert [row["path"] for row in table[:4]] == [str(pictures / f"{index}.png") for index in range(4)]
    expected = tiny_model.TinyModel().encode(tf.constant([(pictures / "2.png").read_bytes()]))["mean"].numpy()[0]
    np.testing.assert_allclose([float(table[2][f"mean_{i}"]) for i in range(4)], expected, rtol=1e-5)


def test_score_writes_a_table_to_standard_output(work: Path, pictures: Path) -> None:
    result = run("score", "--work", work, pictures / "1.png", pictures / "0.png", pictures / "more")
    assert result.stderr == "wrote 3 rows to standard output\n"
    table = rows(result.stdout)
    assert list(table[0]) == ["path", "elbo", "reconstruction", "kl"]
    assert [Path(row["path"]).name for row in table] == ["1.png", "0.png", "colour.PNG"]
    for row in table:
        assert float(row["elbo"]) == pytest.approx(-float(row["reconstruction"]) - float(row["kl"]), rel=1e-5)


def test_score_sorts_the_oddest_first(work: Path, pictures: Path) -> None:
    elbos = [float(row["elbo"]) for row in rows(run("score", "--work", work, pictures, "--sort").stdout)]
    assert elbos == sorted(elbos) and len(set(elbos)) == 5


@pytest.mark.parametrize("command", ["score", "encode", "reconstruct"])
def test_a_bad_picture_is_left_out_aloud(work: Path, pictures: Path, tmp_path: Path, command: str) -> None:
    (pictures / "bad.webp").write_text("no picture", encoding="utf-8")
    out = tmp_path / ("out.png" if command == "reconstruct" else "out.csv")
    result = run(command, "--work", work, pictures, "--out", out)
    assert result.stderr.startswith(f"left out {pictures / 'bad.webp'}: ")
    what = "pictures" if command == "reconstruct" else "rows"
    assert result.stdout == f"wrote 5 {what} to {out}; left out 1 picture that could not be read\n"


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_name_that_is_no_text_does_not_end_the_table(work: Path, pictures: Path) -> None:
    os.rename(pictures / "0.png", os.path.join(os.fsencode(pictures), b"\xff.png"))
    assert len(rows(run("score", "--work", work, pictures).stdout)) == 5


def test_mistakes_are_told_in_one_line(work: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    (tmp_path / "folder.png").mkdir()
    bad = tmp_path / "bad.png"
    bad.write_text("no picture", encoding="utf-8")
    for words, arguments in (
        ("say which model", ("generate", "--out", out)),
        ("no model has been pushed", ("generate", "--work", tmp_path, "--out", out)),
        ("Missing option '--out'", ("generate", "--work", work)),
        ("No such option", ("generate", "--work", work, "--cuont", 3)),
        ("--count", ("generate", "--work", work, "--out", out, "--count", 0)),
        ("--seed", ("generate", "--work", work, "--out", out, "--seed", 2**63)),
        ("--temperature", ("generate", "--work", work, "--out", out, "--temperature", -1)),
        ("finite", ("generate", "--work", work, "--out", out, "--temperature", "nan")),
        ("finite", ("generate", "--work", work, "--out", out, "--temperature", "inf")),
        ("at most 10,000", ("generate", "--work", work, "--out", out, "--count", 10_001)),
        ("as PNG", ("generate", "--work", work, "--out", tmp_path / "x.jpg")),
        ("is a file", ("generate", "--work", work, "--out", tmp_path / "taken")),
        ("is a folder", ("generate", "--work", work, "--out", tmp_path / "folder.png")),
        ("taken", ("generate", "--work", work, "--count", 1, "--out", tmp_path / "taken" / "x.png")),
        ("taken", ("generate", "--work", work, "--count", 1, "--out", tmp_path / "taken" / "x")),
        ("name the pictures", ("score", "--work", work)),
        ("no picture or folder", ("score", "--work", work, tmp_path / "nowhere.png")),
        ("no pictures in", ("score", "--work", work, tmp_path / "folder.png")),
        ("no picture could be read", ("score", "--work", work, bad)),
        ("is a folder", ("score", "--work", work, pictures, "--out", tmp_path / "folder.png")),
        ("these are 1", ("interpolate", "--work", work, pictures / "0.png", "--out", out)),
        ("bad.png cannot be read", ("interpolate", "--work", work, pictures / "0.png", bad, "--out", out)),
        ("--steps", ("interpolate", "--work", work, "--steps", 1, "--out", out)),
        ("such as 0,1", ("manifold", "--work", work, "--axes", "x,y", "--out", out)),
        ("from 0 to 3", ("manifold", "--work", work, "--axes", "0,4", "--out", out)),
        ("from 0 to 3", ("manifold", "--work", work, "--axes", "2,2", "--out", out)),
    ):
        assert words in refused(*arguments), arguments
    assert not out.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_teaches_by_example(command: click.Command) -> None:
    assert f"darkroom {command.name} --work work" in run(command.name, "--help").output
