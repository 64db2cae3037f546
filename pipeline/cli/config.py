"""The command `darkroom config`: show a configuration, check it, explain its fields."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from common.lines import escaped
from pipeline.cli.completion import complete_config, complete_field, complete_path, complete_run
from pipeline.cli.options import config_option, json_option, set_option, work_option
from pipeline.cli.results import columns, print_json
from pipeline.verdict.status import Status

_IMAGES = click.option(
    "--images", metavar="PATH", shell_complete=complete_path, help="The pictures, for the values that depend on them."
)


@click.group(invoke_without_command=True)
@click.pass_context
def config(context: click.Context) -> None:
    """Show a configuration, check it, or explain its fields.

    \b
    What a field means, its values and its default:
        darkroom config explain training.epochs
    Every value that a run would use, and where it comes from:
        darkroom config show --config my.yaml --images ~/Pictures/cats
    All problems of a file, each with its line:
        darkroom config check my.yaml
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@config.command()
@config_option
@set_option
@_IMAGES
@work_option(text="Show the configuration of a run of this work folder.")
@click.option("--run", "run_id", metavar="ID", shell_complete=complete_run, help="The run of --work. Default: the last one.")
@click.option("--changed", is_flag=True, help="Leave out values that are defaults.")
@json_option
def show(
    config: str | None,
    overrides: Sequence[str],
    images: str | None,
    work: str | None,
    run_id: str | None,
    changed: bool,
    as_json: bool,
) -> None:
    """Show every value that a run would use.

    The output is YAML that `darkroom run --config` takes. A comment says where a value comes from: the file, --set, or the
    pictures. Without --images, fields that are chosen from the pictures stay open.

    \b
    A preset:
        darkroom config show --config fashion-mnist --changed
    A run on your own pictures:
        darkroom config show --images ~/Pictures/cats --set training.epochs=20
    What the last run of a work folder used:
        darkroom config show --work work/digits
    """
    from common.quiet import hushed
    from pipeline.config.origins import DEFAULT, as_lines

    if work is not None and (config or overrides or images):
        raise click.UsageError("--work shows the configuration of a run: leave out --config, --set and --images")
    if run_id is not None and work is None:
        raise click.UsageError("--run needs --work")
    with hushed():
        values = _of_run(work, run_id) if work is not None else _of_request(config, overrides, images)
    if as_json:
        print_json([dataclasses.asdict(each) for each in values if not changed or each.origin != DEFAULT])
        return
    for line in as_lines(values, changed):
        click.echo(escaped(line))


def _of_request(name: str | None, overrides: Sequence[str], images: str | None) -> list[Any]:
    from pipeline.config.inference import complete
    from pipeline.config.loading import apply_overrides, build_config
    from pipeline.config.origins import values_of
    from pipeline.running.request import located, read_values, title_of

    source = name or "the configuration"
    given = apply_overrides(read_values(name), overrides)
    build_config(given, source)
    if images is None:
        return values_of(given, given, source, overrides, looked=False)
    where = located(images)
    return values_of(complete({"title": title_of(where), **given}, where), given, source, overrides)


def _of_run(work: str, run_id: str | None) -> list[Any]:
    from common.errors import InputError
    from pipeline.config.loading import load_values
    from pipeline.config.origins import values_of
    from pipeline.metadata.history import run_folder
    from pipeline.workspace.layout import Workspace, command

    folders = Workspace.open(work).runs()
    if run_id is None and not folders:
        raise InputError(f"nothing was run in {work} yet: do `{command('run', work)}` first")
    folder = run_folder(folders[-1].name if run_id is None else run_id, work)
    values = load_values(folder / "config.yaml")
    changed = {name: value for name, value in values.items() if value}
    found = values_of(values, changed, f"run {folder.name}")
    return [each if each.value != _default(each.name) else dataclasses.replace(each, origin="default") for each in found]


def _default(name: str) -> Any:
    from pipeline.config.fields import fields

    return fields()[name].default


@config.command()
@click.argument("name", metavar="FILE|NAME", required=False, shell_complete=complete_config)
@set_option
@_IMAGES
@json_option
def check(name: str | None, overrides: Sequence[str], images: str | None, as_json: bool) -> None:
    """Check a configuration, and list all problems.

    Each problem has its line in the file. The exit status is 2 if there is one. With --images, values that depend on the
    pictures are checked as well.

    \b
        darkroom config check my.yaml
        darkroom config check my.yaml --set training.epochs=20 --images ~/Pictures/cats
    """
    from common.errors import InputError
    from common.quiet import hushed
    from pipeline.config.checking import Finding, findings
    from pipeline.running.request import config_path

    if name is None and not overrides:
        raise click.UsageError("name a file or a preset, or give --set")
    path = config_path(name)
    with hushed():
        found = findings(path, overrides)
        if not found:
            try:
                _check_schema(path, overrides)
                if images is not None:
                    _of_request(name, overrides, images)
            except InputError as error:
                found = [Finding(str(error))]
    shown = str(path) if path else "--set"
    if as_json:
        print_json({"file": shown, "valid": not found, "problems": [dataclasses.asdict(each) for each in found]})
    else:
        for each in found:
            click.echo(escaped(str(each) if shown in each.message else f"{shown}: {each}"))
        if not found:
            click.secho(f"{escaped(shown)}: no problems found", fg="green")
    if found and as_json:
        raise click.exceptions.Exit(int(Status.MISTAKE))
    if found:
        raise InputError(f"{shown} has {'a problem' if len(found) == 1 else f'{len(found)} problems'}, above")


def _check_schema(path: Path | None, overrides: Sequence[str]) -> None:
    """Read the schema that the configuration names; raise InputError if it cannot be read."""
    from pipeline.config.loading import apply_overrides
    from pipeline.data.schemas import read_schema, schema_of

    by_hand = apply_overrides({}, overrides).get("schema")
    read_schema(Path(by_hand) if by_hand else schema_of(path))


@config.command()
@click.argument("name", metavar="[FIELD]", required=False, shell_complete=complete_field)
@json_option
def explain(name: str | None, as_json: bool) -> None:
    """Explain a field: its meaning, its values and its default.

    FIELD is a full name, its last part, or a section. Without it, all sections and fields are listed.

    \b
        darkroom config explain training.epochs
        darkroom config explain epochs
        darkroom config explain training
    """
    from pipeline.config.fields import Section, find, sections

    found = find(name) if name is not None else []
    if as_json:
        listed: Sequence[Any] = sections() if name is None else [found] if isinstance(found, Section) else found
        print_json([dataclasses.asdict(each) for each in listed])
        return
    if name is None:
        for section in sections():
            click.secho(section.name or "outside of sections", bold=True)
            _wrapped(", ".join(field.name.rpartition(".")[2] for field in section.fields), "  ")
        _wrapped("`darkroom config explain NAME` explains a field or a section", "")
    elif isinstance(found, Section):
        click.secho(found.name, bold=True)
        _wrapped(found.meaning, "  ")
        for field in found.fields:
            click.echo()
            _wrapped(f"{field.name} = {field.default_text}" if field.default_text else field.name, "  ", "    ")
            _wrapped(field.meaning, "    ")
    else:
        for number, each in enumerate(found):
            if number:
                click.echo()
            _explain(each)


def _explain(field: Any) -> None:
    from pipeline.config.fields import CHOICES, as_yaml
    from pipeline.config.loading import preset_values

    click.secho(field.name, bold=True)
    _wrapped(field.meaning, "  ")
    click.echo()
    _row("values", field.values)
    default = field.default_text or "not set"
    _row("default", f"{default} from the pictures, see {CHOICES}" if default.endswith("chosen") else default)
    section, _, last = field.name.rpartition(".")
    used = {name: values[section][last] for name, values in preset_values().items() if last in (values.get(section) or {})}
    if used:
        _row("presets", ", ".join(f"{name} {as_yaml(value)}" for name, value in used.items()))
    example = as_yaml(field.default) if field.default not in (None, [], {}) else "VALUE"
    _row("set it", f"--set {field.name}={example}")


def _row(title: str, text: str) -> None:
    _wrapped(text, f"  {title:<8}  ", " " * 12)


def _wrapped(text: str, indent: str, later: str | None = None) -> None:
    later = indent if later is None else later
    lines = textwrap.wrap(
        escaped(text), columns(), initial_indent=indent, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
    click.echo("\n".join(lines))


COMMANDS = (config,)
