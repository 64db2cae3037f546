"""The commands `darkroom compile` and `darkroom lint`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from common.errors import InputError
from common.lines import escaped
from common.writing import is_standard_output, is_stream, shown
from pipeline.cli.completion import complete_path
from pipeline.cli.options import config_option, json_option, set_option
from pipeline.cli.results import print_json

TARGET = click.option(
    "--target", type=click.Choice(["kfp", "vertex"]), default="kfp", show_default=True, help="Kubeflow Pipelines or Vertex AI."
)


@click.command(name="compile")
@TARGET
@click.option("--images", metavar="URI", required=True, help="Where the pictures are, as the cluster sees it.")
@config_option
@set_option
@click.option(
    "--out", metavar="FILE.yaml", required=True, shell_complete=complete_path, help="The file to write; - is standard output."
)
@json_option
def compile_command(target: str, images: str, config: str | None, overrides: Sequence[str], out: str, as_json: bool) -> None:
    """Compile the pipeline for Kubeflow Pipelines or Vertex AI.

    \b
    Pictures in a store, models to another one (see kubeflow/README.md):
        darkroom compile --images s3://pictures/cats --config cats.yaml --out cats.kfp.yaml
    To the program that checks it:
        darkroom compile --images s3://pictures/cats --config cats.yaml --out - | darkroom lint -
    The newest of the daily folders, compared with the last model that was pushed:
        darkroom compile --images 's3://pictures/{YYYY}-{MM}-{DD}' --config cats.yaml --out cats.kfp.yaml

    The command reads the pictures, with this machine's credentials, unless the configuration sets their size,
    training.batch_size and training.epochs.
    """
    from common.quiet import hushed, quiet
    from kubeflow.compile.compiler import check, check_suffix, compile_pipeline, dump, write
    from kubeflow.compile.lint import lint
    from pipeline.data.schemas import default_schema, read_schema
    from pipeline.running.request import make_config

    check_suffix(Path(out))
    check_out(out, {"--config": config, "--images": images})
    with hushed():
        built = make_config(images, config, overrides)
    schema = Path(built.schema) if built.schema else default_schema()
    check_out(out, {"schema": schema, "data.label_file": built.data.label_file})
    read_schema(schema)
    check(built, images, target)
    click.echo("compiling, which may take half a minute ...", err=True)
    with quiet(Path(os.devnull)):
        documents = compile_pipeline(built, images, schema.read_text(encoding="utf-8"), target)
    violations = lint(dump(documents, target), target)
    if violations:
        raise InputError(f"the compiled pipeline would not run: {'; '.join(map(str, violations))}")
    write(documents, target, Path(out))
    name = documents[0]["pipelineInfo"]["name"]
    if as_json:
        print_json({"name": name, "file": out, "target": target}, err=is_standard_output(out))
        return
    click.echo(f"compiled: {name}, {escaped(shown(out))}", err=is_standard_output(out))
    if not is_stream(out):
        server = "--target vertex --project ID --region NAME" if target == "vertex" else "--host URL"
        click.echo(f"try: darkroom submit {shlex.quote(str(out))} {server}")


def check_out(out: str, inputs: Mapping[str, str | Path | None]) -> None:
    """Raise InputError if the file to write is one of the input files, under any name, or a hard link to it.

    `inputs` has the input files by option or field. Values that are not paths of existing files are ignored.
    """
    for name, given in inputs.items():
        same = False
        with suppress(OSError, ValueError):  # a file does not exist, or a value is not a path
            same = given is not None and os.path.samefile(Path(given).expanduser(), out)
        if same:
            raise InputError(f"--out {out} is the file of {name}, which would be lost: name another, such as x.kfp.yaml")


@click.command(name="lint")
@click.argument("file", metavar="FILE", shell_complete=complete_path)
@TARGET
@json_option
def lint_command(file: str, target: str, as_json: bool) -> None:
    """Check a compiled TFX pipeline for Kubeflow Pipelines.

    The command lists what the server would reject, ignore or misread. The pipeline may be that of another project.

    \b
        darkroom lint pipeline.yaml
    The standard output of another program:
        compile-my-pipeline | darkroom lint -
    """
    from kubeflow.compile.lint import lint

    name = "standard input" if file == "-" else file
    try:
        text = (click.get_binary_stream("stdin").read() if file == "-" else Path(file).read_bytes()).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {name}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from error
    if not text.strip():
        raise InputError(f"{name} is empty")
    violations = lint(text, target)
    if as_json:
        print_json({"file": file, "target": target, "violations": list(map(asdict, violations))})
    else:
        for violation in violations:
            click.echo(str(violation))
    if violations:
        raise InputError(f"{name} breaks {len(violations)} rule{'s' if violations[1:] else ''} of {target}, above")
    if not as_json:
        click.echo(f"{name}: no problems found")


COMMANDS = (compile_command, lint_command)
