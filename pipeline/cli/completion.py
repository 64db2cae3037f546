"""The command `darkroom completion`, and what a shell completes for options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from common.lines import escaped
from common.writing import shown, write_text

VARIABLE = "_DARKROOM_COMPLETE"
DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10")
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_path(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leave the completion to the shell, which knows its files."""
    return [CompletionItem(incomplete, type="file")]


def complete_folder(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leave the completion to the shell, which knows its folders."""
    return [CompletionItem(incomplete, type="dir")]


def complete_config(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the presets that begin so, and let the shell add files."""
    from pipeline.config.loading import preset_names

    return [CompletionItem(incomplete, type="file"), *_beginning(preset_names(), incomplete)]


def complete_dataset(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the data sets that begin so."""
    return _beginning(DATASETS, incomplete)


def complete_field(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the sections and fields of the configuration that begin so."""
    from pipeline.config.fields import fields, sections

    return _beginning([*(section.name for section in sections() if section.name), *fields()], incomplete)


def complete_override(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the fields that begin so, as the left side of KEY=VALUE."""
    from pipeline.config.fields import fields

    return _beginning((f"{name}=" for name in fields()), incomplete)


def complete_run(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the runs of the work folder of --work that begin so."""
    work = context.params.get("work")
    return _beginning(sorted(path.name for path in Path(work, "runs").glob("*")) if work else (), incomplete)


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@click.option("--install", is_flag=True, help="Write the script to the place where the shell looks for it.")
@click.pass_context
def completion(context: click.Context, shell: str | None, install: bool) -> None:
    """Print the script for completion in a shell.

    It completes commands, options and fields of the configuration. SHELL is bash (4.4 or later), zsh or fish; the default is the shell of $SHELL.

    \b
    For new shells:
        darkroom completion --install
    For this bash or zsh:
        eval "$(darkroom completion bash)"
    """
    from common.errors import InputError

    shell = shell or Path(os.environ.get("SHELL", "")).name
    complete = get_completion_class(shell)
    if complete is None or shell not in _PLACES:
        raise InputError(f"no completion for the shell {shell!r}: name bash, zsh or fish")
    script = _script(complete, context.find_root().command)
    if not install:
        click.echo(script)
        return
    path, hint = _PLACES[shell](os.environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(script, path)
    except OSError as error:
        raise InputError(f"cannot write {shown(path)}: {error.strerror}") from None
    click.echo(f"wrote {escaped(shown(path))}; {hint}")


def _script(complete: type[ShellComplete], command: click.Command) -> str:
    made = complete(command, {}, "darkroom", VARIABLE)
    return made.source_template % made.source_vars()  # `source` runs bash to check its version, and prints


def _home(variables: Mapping[str, str], name: str, default: str) -> Path:
    return Path(variables.get(name) or Path.home() / default)


_PLACES: dict[str, Callable[[Mapping[str, str]], tuple[Path, str]]] = {
    "bash": lambda variables: (
        _home(variables, "XDG_DATA_HOME", ".local/share") / "bash-completion/completions/darkroom",
        "new shells complete darkroom, if the package bash-completion is installed",
    ),
    "zsh": lambda variables: (
        _home(variables, "ZDOTDIR", "") / ".zfunc/_darkroom",
        "put `fpath+=~/.zfunc` before `compinit` into ~/.zshrc",
    ),
    "fish": lambda variables: (
        _home(variables, "XDG_CONFIG_HOME", ".config") / "fish/completions/darkroom.fish",
        "new shells complete darkroom",
    ),
}

COMMANDS = (completion,)
