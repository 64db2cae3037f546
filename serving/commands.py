"""The commands for pushed models of the project's command line: `COMMANDS`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click
import numpy as np

from common.errors import InputError
from common.lines import escaped, in_one_line, readable
from common.writing import is_standard_output, shown, write_text
from serving import latents
from serving.explorer.find import page_of, with_beside
from serving.explorer.server import ExplorerServer
from serving.grids import GAP, GAP_OF_PAIRS, side_by_side, tile
from serving.options import PATH, SEED, Finite, loaded, model_command
from serving.output import check_out, write_csv, write_pictures, write_sheet
from serving.pictures import as_the_model_sees, list_pictures
from serving.pushed import PictureAnswers, find_model

_LONGEST_ROW = 20  # Pictures of an interpolation in one row of a sheet.

pictures_out = click.option(
    "--out",
    type=PATH,
    required=True,
    metavar="FILE.png|DIR",
    help="A .png file: one sheet; else a folder of them. - is a sheet on standard output.",
)
table_out = click.option(
    "--out", type=PATH, default="-", show_default=True, metavar="FILE.csv", help="The table; - is standard output."
)
pictures_in = click.argument("pictures", nargs=-1, type=PATH)


@model_command
@click.option("--count", type=click.IntRange(1, 1_000_000), default=64, show_default=True, help="How many pictures.")
@click.option("--seed", type=SEED, default=7, show_default=True, help="The same seed gives the same pictures.")
@click.option("--temperature", type=Finite(min=0), default=1.0, show_default=True, help="Below 1: more typical, less variety.")
@click.option("--label", metavar="NAME", help="The label to draw, for a model trained with model.conditional=true.")
@pictures_out
def generate(
    work: Path, model: Path, version: int, count: int, seed: int, temperature: float, label: str | None, out: Path
) -> None:
    """Draw new pictures.

    \b
    A sheet of 64, and the same as 64 files:
        darkroom generate --work work/digits --out new.png
        darkroom generate --work work/digits --out new/
    Other pictures, and more typical ones:
        darkroom generate --work work/digits --seed 8 --temperature 0.7 --out new.png
    To a program that reads PNG:
        darkroom generate --work work/digits --out - | display
    Pictures of one label, from a conditional model:
        darkroom generate --work work/fashion-mnist --label sneaker --out sneakers.png
    From a model that was copied elsewhere:
        darkroom generate --model models/3 --count 10000 --out new/

    The pictures depend on the seed and the temperature, not on the count: 10 pictures are the first 10 of 1000.
    """
    check_out(out, count)
    with loaded(work, model, version, total=count) as pushed:
        images = pushed.generate(count, seed, temperature, label)
    _write_pictures(images, out)


@model_command
@pictures_in
@pictures_out
def reconstruct(work: Path, model: Path, version: int, pictures: tuple[Path, ...], out: Path) -> None:
    """Encode and decode PICTURES (files and folders).

    \b
    A sheet, each original with its reconstruction to the right:
        darkroom reconstruct --work work/digits cat.png dog.jpg --out both.png
    The reconstructions alone, one file each:
        darkroom reconstruct --work work/digits pictures/ --out rebuilt/

    Pictures may have any size; originals are shown at the model's size. Unreadable pictures are named and left out.
    """
    paths = list_pictures(pictures, _leave_out)
    sheet = check_out(out, len(paths))
    with loaded(work, model, version, total=len(paths)) as pushed:
        answers = pushed.reconstruct(paths)
    _warn(answers)
    images = answers.values["images"]
    if sheet:
        preprocessing = pushed.about.get("preprocessing", {})
        originals = np.stack([as_the_model_sees(path, pushed.image_shape, preprocessing, pushed.options) for path in answers.paths])
        images = side_by_side(originals, images)
    names = [path.stem for path in answers.paths]
    _write_pictures(images, out, gap=GAP_OF_PAIRS, names=names, skipped=len(answers.unreadable))


@model_command
@pictures_in
@click.option("--seed", type=SEED, default=7, show_default=True, help="Seed of the two ends, if no pictures are named.")
@click.option("--steps", type=click.IntRange(2, 10_000), default=10, show_default=True, help="Pictures, ends included.")
@pictures_out
def interpolate(work: Path, model: Path, version: int, pictures: tuple[Path, ...], seed: int, steps: int, out: Path) -> None:
    """Walk between two PICTURES, or between two drawn from --seed.

    \b
    Between two pictures of yours:
        darkroom interpolate --work work/digits cat.png dog.png --out walk.png
    Between two that the model draws, as the 60 frames of a film:
        darkroom interpolate --work work/digits --seed 3 --steps 60 --out walk/

    The path follows the sphere on which the codes lie. The model could draw every picture on it.
    """
    if len(pictures) not in (0, 2):
        raise InputError(f"name two pictures, or none to draw them from --seed; these are {len(pictures)}")
    check_out(out, steps)
    with loaded(work, model, version) as pushed:
        if pictures:
            images = pushed.interpolate(pictures[0], pictures[1], steps)
        else:
            start, end = latents.draw(2, pushed.latent_dim, seed)
            images = pushed.decode(latents.slerp(start, end, steps))
    _write_pictures(images, out, columns=min(steps, _LONGEST_ROW))


@model_command
@click.option("--axes", default="0,1", show_default=True, metavar="A,B", help="The latent axes: to the right, and downward.")
@click.option("--steps", type=click.IntRange(2, 100), default=20, show_default=True, help="Pictures along each axis.")
@pictures_out
def manifold(work: Path, model: Path, version: int, axes: str, steps: int, out: Path) -> None:
    """Map two axes of the latent space.

    \b
    The whole of a two-dimensional space:
        darkroom manifold --work work/digits --out map.png
    Axes 4 and 9 of a larger one:
        darkroom manifold --work work/digits --axes 4,9 --steps 12 --out map.png

    The cells lie at even quantiles of the Gaussian prior, 2.5 % to 97.5 %; every other axis is held at 0.
    """
    check_out(out, steps**2)
    with loaded(work, model, version) as pushed:
        images = pushed.decode(latents.quantile_grid(pushed.latent_dim, _parse_axes(axes, pushed.latent_dim), steps))
    _write_pictures(images, out, columns=steps)


@model_command
@click.option("--export", type=PATH, metavar="FILE.html", help="Write the page to a file in place of serving it.")
@click.option(
    "--beside", type=click.IntRange(min=0), metavar="VERSION", help="Another version, to show the same codes side by side."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8710, show_default=True, help="0 takes a free one.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on. Others than this machine's need --token."
)
@click.option("--token", default="", metavar="TEXT", help="What every request must have. The printed address contains it.")
@click.option("--open", "in_browser", is_flag=True, help="Open the page in the browser.")
def explore(
    work: Path,
    model: Path,
    version: int,
    export: Path | None,
    beside: int | None,
    port: int,
    host: str,
    token: str,
    in_browser: bool,
) -> None:
    """Walk in the latent space, in a browser.

    \b
    On this machine, also with your own pictures, until Ctrl-C:
        darkroom explore --work work/digits --open
    As a file that needs no server:
        darkroom explore --work work/digits --export digits.html
    From a model that was copied elsewhere, without pictures of its data:
        darkroom explore --model models/3 --export digits.html
    Two versions with the same codes:
        darkroom explore --work work/digits --version 3 --beside 2

    The page holds the decoder and runs it in the browser: a map of codes, sliders, new pictures, walks between pictures, and the
    nearest training pictures. Served by this command, it also takes pictures of yours: reconstruction, code, score, and how unusual
    they are beside held-out ones. As a file it works from a disk, in a mail and on any web server, and it sends nothing.
    A page of a work folder holds small copies of held-out and training pictures.
    """
    if export is not None and export.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--export {export}: name a .html file")
    folder = find_model(work, model, version)
    page = page_of(folder, work)
    if beside is not None:
        page = with_beside(page, folder, find_model(work, model, beside))
    if export is not None:
        write_text(page, export)
        click.echo(f"wrote the explorer, {len(page.encode()) / 1e6:.1f} MB, to {escaped(shown(export))}")
        return
    with loaded(work, model, version) as pushed:
        server = ExplorerServer(pushed, page, host, port, token)
        if not server.local:
            click.echo(
                "everyone who has the token can see the pictures in this page, over a connection that is not encrypted", err=True
            )
        click.echo(f"the explorer is at {server.address} (Ctrl-C ends it)")
        if in_browser:
            click.launch(server.address)
        with suppress(KeyboardInterrupt):
            server.run()


@model_command
@pictures_in
@click.option(
    "--precision",
    type=click.Choice(["full", "model"]),
    default="full",
    show_default=True,
    help="model: codes rounded to the model's precision, as integers, with their length in bits.",
)
@table_out
def encode(work: Path, model: Path, version: int, pictures: tuple[Path, ...], precision: str, out: Path) -> None:
    """Write the codes of PICTURES (files and folders) as a table.

    \b
        darkroom encode --work work/digits pictures/ --out codes.csv
        darkroom encode --work work/digits cat.png dog.jpg
    Compressed as far as the model allows:
        darkroom encode --work work/digits --precision model pictures/ --out codes.csv

    Columns: path, mean_0 ..., log_variance_0 ...: the posterior, a Gaussian, by axis.
    With --precision model: path, bits, code_0 ...; a code times code_precision.step of model.json is the rounded mean.
    A conditional model adds a column `label`: the label that a picture was encoded with, which is needed to decode it.
    Unreadable pictures are named on standard error and have no row.
    """
    paths = list_pictures(pictures, _leave_out)
    with loaded(work, model, version, total=len(paths)) as pushed:
        answers = pushed.encode(paths)
    axes, mean = range(pushed.latent_dim), answers.values["mean"]
    if precision == "model":
        if "code_precision" not in pushed.about:
            raise InputError(f"the model in {pushed.path} does not say how precise its codes are: train it anew")
        codes, bits = latents.at_precision(mean, pushed.about["code_precision"])
        columns = ["bits", *(f"code_{axis}" for axis in axes)]
        rows = [[round(float(length), 2), *code] for length, code in zip(bits, codes.tolist())]
    else:
        columns = [f"{name}_{axis}" for name in ("mean", "log_variance") for axis in axes]
        rows = np.concatenate([mean, answers.values["log_variance"]], axis=1)
    if "label" in answers.values:
        columns = ["label", *columns]
        rows = [[label.decode(), *row] for label, row in zip(answers.values["label"].tolist(), rows)]
    _write_table(["path", *columns], [[_name(path), *row] for path, row in zip(answers.paths, rows)], out, answers)


@model_command
@pictures_in
@click.option("--sort", is_flag=True, help="Lowest ELBO first: the pictures least like the training data.")
@table_out
def score(work: Path, model: Path, version: int, pictures: tuple[Path, ...], sort: bool, out: Path) -> None:
    """Write the ELBO of PICTURES (files and folders) as a table.

    \b
        darkroom score --work work/digits pictures/ --out scores.csv
    The ten pictures least like the training data:
        darkroom score --work work/digits pictures/ --sort | head -11

    Columns: path, elbo, reconstruction, kl, in nats; elbo = -(reconstruction + kl). A low ELBO marks an unusual picture.
    Unreadable pictures are named on standard error and have no row.
    """
    paths = list_pictures(pictures, _leave_out)
    with loaded(work, model, version, total=len(paths)) as pushed:
        answers = pushed.score(paths)
    names = ("elbo", "reconstruction", "kl")
    rows = list(zip(map(_name, answers.paths), *(answers.values[name] for name in names)))
    if sort:
        rows.sort(key=lambda row: row[1])
    _write_table(["path", *names], rows, out, answers)


COMMANDS = (generate, reconstruct, interpolate, explore, manifold, encode, score)


def _parse_axes(text: str, latent_dim: int) -> tuple[int, int]:
    try:
        right, down = (int(axis) for axis in text.split(","))
    except ValueError:
        raise InputError(f"--axes {text}: name two axes by number, such as 0,1") from None
    if right == down or not (0 <= right < latent_dim and 0 <= down < latent_dim):
        raise InputError(f"--axes {text}: name two different axes from 0 to {latent_dim - 1}; this model has no others")
    return right, down


def _write_pictures(
    images: np.ndarray, out: Path, *, columns: int | None = None, gap: int = GAP, names: list[str] | None = None, skipped: int = 0
) -> None:
    """Write pictures, uint8 [n, h, w, c], to a sheet or a folder, and report it."""
    sheet = check_out(out, len(images))
    if sheet:
        write_sheet(tile(images, columns, gap), out)
    else:
        write_pictures(images, out, names or ())
    _say_written(_counted(len(images), "picture"), out, "" if sheet else "/", skipped)


def _write_table(header: list[str], rows: list, out: Path, answers: PictureAnswers) -> None:
    _warn(answers)
    write_csv(header, rows, out)
    _say_written(_counted(len(rows), "row"), out, "", len(answers.unreadable))


def _say_written(content: str, out: Path, slash: str, skipped: int) -> None:
    """Report the output on standard error if the output itself goes to standard output, else on standard output."""
    left_out = f"; left out {_counted(skipped, 'picture')} that could not be read" if skipped else ""
    click.echo(f"wrote {content} to {escaped(shown(out))}{slash}{left_out}", err=is_standard_output(out))


def _warn(answers: PictureAnswers) -> None:
    """Name the left-out pictures on standard error."""
    for path, reason in answers.unreadable:
        _leave_out(path, reason)


def _leave_out(path: Path, reason: str) -> None:
    click.echo(in_one_line(f"left out {path}: {reason}"), err=True)


def _name(path: Path) -> str:
    return readable(str(path))  # A name that is not valid text must not abort the table.


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
