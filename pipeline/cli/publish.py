"""The command `darkroom publish`: a model with its card, in a folder or on the Hugging Face Hub."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.options import json_option
from pipeline.cli.results import print_json
from serving.options import model_command


@model_command
@click.option(
    "--to", "target", required=True, metavar="DIR|hf://OWNER/NAME", help="A new or empty folder, or a repository of the Hub."
)
@click.option(
    "--license", "license_id", default="", metavar="ID", help="For the card: an identifier of the Hub, such as apache-2.0."
)
@click.option("--public", is_flag=True, help="Create the repository public. Default: private. An existing one stays as it is.")
@click.option("--with-pictures", is_flag=True, help="The explorer of the run, with small copies of held-out and training pictures.")
@json_option
def publish(
    work: Path | None,
    model: Path | None,
    version: int | None,
    target: str,
    license_id: str,
    public: bool,
    with_pictures: bool,
    as_json: bool,
) -> None:
    """Publish a model with its card.

    \b
    In a folder, to look at or to copy:
        darkroom publish --work work/digits --to published/digits
    On the Hugging Face Hub, private at first:
        hf auth login
        darkroom publish --work work/digits --to hf://OWNER/digits

    README.md is the card: details, intended use, data with hashes, figures by label, limits, and how to call the model. Beside it
    are the SavedModel, weights.safetensors, config.yaml, new pictures, and the explorer. With --model the card lacks what only the
    work folder knows. The token comes from HF_TOKEN or the Hub's own login, and is written nowhere.
    """
    from common.errors import InputError
    from common.lines import escaped
    from pipeline.reporting.facts import collect_facts
    from pipeline.reporting.hub import publish as publish_model
    from pipeline.reporting.hub import repository_of
    from serving.pushed import find_model

    if with_pictures and work is None:
        raise InputError("--with-pictures needs --work: only a run's explorer has pictures of the data")
    folder = Path(target)
    if not repository_of(target) and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--to {target} exists already: name a new or empty folder")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    facts = collect_facts(find_model(work, model, version), work)
    where = publish_model(facts, target, license_id=license_id, public=public, pictures_of=work if with_pictures else None)
    if as_json:
        print_json({"version": facts.folder.name, "to": where})
        return
    click.echo(f"published version {facts.folder.name} to {escaped(where)}")


COMMANDS = (publish,)
