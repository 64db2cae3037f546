"""Publish a model: in a folder, or on the Hugging Face Hub through huggingface_hub, with its card, configuration, weights and explorer.

A token comes only from the environment (HF_TOKEN) or from the Hub's own login, and is written nowhere.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InputError, MachineFault, one_line
from common.quiet import hushed
from common.writing import filled
from pipeline.reporting.card import model_card
from pipeline.reporting.facts import Facts
from serving.explorer.find import page_of
from serving.grids import tile
from serving.manifest import WEIGHTS
from serving.output import write_sheet
from serving.pushed import PushedModel

SCHEME = "hf://"
MODEL = "model"  # the folder of the SavedModel: its manifest names all of its files, so nothing else may be in it
SAMPLES, SEED = 64, 7
_REPOSITORY = re.compile(r"hf://(?:models/)?([\w.-]+/[\w.-]+)/?")
_HINT = "log in with `hf auth login`, or set HF_TOKEN"


def repository_of(target: str) -> str:
    """Return the repository that a target such as `hf://owner/name` names, '' for a folder.

    Raises:
        InputError: It is a URI, but names no repository of the Hub.

    Example:
        >>> repository_of("hf://ada/digits"), repository_of("published/digits")
        ('ada/digits', '')
    """
    if "://" not in target:
        return ""
    match = _REPOSITORY.fullmatch(target)
    if match is None:
        raise InputError(f"--to {target[:80]}: name a folder, or a repository of the Hugging Face Hub: hf://owner/name")
    return match[1]


def publish(facts: Facts, target: str, *, license_id: str = "", public: bool = False, pictures_of: Path | None = None) -> str:
    """Write or upload a model's folder.

    Args:
        facts: The model.
        target: A new or empty folder, or `hf://owner/name`. A repository that does not exist is created.
        license_id: An identifier of the Hub, such as `apache-2.0`; '' for none.
        public: Whether a new repository is public.
        pictures_of: The work folder whose explorer, with pictures of the data, is published. None for one without pictures.

    Returns:
        Where it is: the folder, or the commit's address.

    Raises:
        InputError: The target is not usable, a library is missing, or the Hub refuses.
        MachineFault: The Hub cannot be reached.
    """
    repository = repository_of(target)
    hub = _library()
    if not repository:
        with filled(target) as folder:
            _fill(folder, facts, "", license_id, pictures_of)
        return target
    token = hub.get_token()
    if not token:
        raise InputError(f"there is no token for the Hugging Face Hub: {_HINT}, with permission to write to {repository}")
    with tempfile.TemporaryDirectory(prefix="darkroom-publish-") as temporary:
        _fill(Path(temporary), facts, repository, license_id, pictures_of)
        return _upload(hub, token, repository, Path(temporary), facts, public)


def _fill(folder: Path, facts: Facts, repository: str, license_id: str, pictures_of: Path | None) -> None:
    """Write all files of the publication to a folder."""
    from safetensors.numpy import save_file

    shutil.copytree(facts.folder, folder / MODEL, ignore=shutil.ignore_patterns(".*"))
    if (facts.folder / WEIGHTS).is_file():
        with np.load(facts.folder / WEIGHTS, allow_pickle=False) as weights:
            save_file({name: np.ascontiguousarray(weights[name]) for name in weights.files}, str(folder / "weights.safetensors"))
    shutil.copyfile(facts.folder / "config.yaml", folder / "config.yaml")
    pushed = PushedModel(facts.folder)
    try:
        write_sheet(tile(pushed.generate(SAMPLES, SEED)), folder / "samples.png")
    finally:
        pushed.close()
    (folder / "explorer.html").write_text(page_of(facts.folder, pictures_of), encoding="utf-8")
    (folder / "README.md").write_text(model_card(facts, repository, license_id), encoding="utf-8")


def _upload(hub: Any, token: str, repository: str, folder: Path, facts: Facts, public: bool) -> str:
    """Upload a folder in one commit, which also deletes files of earlier versions that are no longer there."""
    api = hub.HfApi(token=token)
    message = f"Version {facts.folder.name} of {facts.about.get('title') or 'the model'}"
    try:
        with hushed():
            api.create_repo(repository, private=not public, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message=message, delete_patterns=[f"{MODEL}/*", "*.safetensors"]
            )
    except hub.errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403, 404):
            raise InputError(
                f"the Hugging Face Hub refuses to write to {repository} (status {status}): {_HINT}, with permission to write"
            ) from None
        if status is not None and status < 500:
            raise InputError(f"the Hugging Face Hub refuses {repository}: {one_line(error).replace(token, '...')}") from None
        raise MachineFault(f"the Hugging Face Hub failed (status {status}): try again later") from None
    except ValueError as error:  # names that break the Hub's rules
        raise InputError(f"--to {SCHEME}{repository}: {one_line(error).replace(token, '...')}") from None
    except Exception as error:  # connections, by the classes of whichever HTTP client the library has
        raise MachineFault(f"the Hugging Face Hub cannot be reached: {one_line(error).replace(token, '...')}") from None
    return str(commit)


def _library() -> Any:
    try:
        with hushed():
            import huggingface_hub
            import safetensors  # noqa: F401  checked before the work
    except ImportError:
        raise InputError("darkroom publish needs an extra: pip install 'darkroom-tfx[huggingface]'") from None
    return huggingface_hub
