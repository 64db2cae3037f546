"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable

import click

from pipeline.cli.completion import complete_config, complete_folder, complete_override

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
config_option = click.option(
    "--config", metavar="FILE|NAME", shell_complete=complete_config, help="A configuration file, or the name of a preset."
)
set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_override,
    help="Set a field of the configuration. Repeatable.",
)


def work_option(required: bool = False, text: str = "The work folder.") -> Callable:
    """Return the option --work."""
    return click.option("--work", metavar="DIR", required=required, shell_complete=complete_folder, help=text)
