"""Collect the sources of the documentation's site: the pages of this folder, those beside the code, and a page of all commands.

Run: python -m docs.site FOLDER
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path, PurePosixPath

import click

ROOT = Path(__file__).resolve().parent.parent
# Pages that are not in docs/, and their names on the site.
OTHERS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "kubeflow/README.md": "kubeflow.md",
    "kubeflow/manifests/README.md": "manifests.md",
    "benchmarks/README.md": "benchmarks.md",
    "LICENSE": "license.txt",
    "notebooks/train.ipynb": "train.ipynb",
    "notebooks/explore.ipynb": "explore.ipynb",
    "docs/theme/worker.js": "worker.js",
    "docs/theme/wide.css": "wide.css",
}
_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(\))")


def pages() -> dict[str, str]:
    """Return the file's name on the site of each file, by its path in the repository."""
    files = [path for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".png", ".gif", ".html"}]
    inside = {path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix() for path in files}
    return {**OTHERS, **inside}


def with_links_of_the_site(text: str, source: str, names: dict[str, str]) -> str:
    """Return a page whose links lead to the site's files.

    Args:
        text: The page.
        source: Its path in the repository.
        names: See `pages`.

    Raises:
        KeyError: The page links to a file that is not on the site.

    Example:
        >>> with_links_of_the_site("[a](../kubeflow/README.md#b)", "docs/c.md", {"kubeflow/README.md": "kubeflow.md"})
        '[a](kubeflow.md#b)'
    """

    def replace(match: re.Match[str]) -> str:
        target = names[_normal(PurePosixPath(source).parent / match[2])]
        return f"{match[1]}{target}{match[3] or ''}{match[4]}"

    return _LINK.sub(replace, text)


def commands() -> str:
    """Return a page with the help of each command, as the terminal shows it."""
    from local_runner import CLUSTER_COMMANDS
    from pipeline.cli.main import cli

    cli.modules.update(CLUSTER_COMMANDS)
    above = click.Context(cli, info_name="darkroom", terminal_width=100, max_content_width=100)
    parts = ["# Commands\n", "`darkroom COMMAND --help` prints the same.\n"]
    for path, command in _tree(cli, above):
        parts.append(f"## {path.command_path}\n\n```text\n{command.get_help(path).strip()}\n```\n")
    return "\n".join(parts)


def _tree(group: click.Group, above: click.Context):
    """Yield the context and the command of each command below a group."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        context = click.Context(command, info_name=name, parent=above, terminal_width=100, max_content_width=100)
        if isinstance(command, click.Group):
            yield from _tree(command, context)
        else:
            yield context, command


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def write_sources(folder: Path) -> None:
    """Write all sources to a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    names = pages()
    for source, name in names.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".md":
            text = (ROOT / source).read_text(encoding="utf-8")
            target.write_text(with_links_of_the_site(text, source, names), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / source, target)
    (folder / "commands.md").write_text(commands(), encoding="utf-8")


if __name__ == "__main__":
    write_sources(Path(sys.argv[1]))
