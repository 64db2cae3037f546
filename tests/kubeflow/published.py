"""What kfp_server_api publishes of the API v2beta1: its models, and the methods of its services. It is generated from the API.

Run as a program it writes that as JSON, by whatever Python has the release: two releases do not go into one environment.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NEWEST = ROOT / ".kfp-env/bin/python"  # made by `make test`
# Of kfp_server_api: the one in requirements/1.16/lock.txt, and the one in requirements/kfp.txt and requirements/1.21/lock.txt.
RELEASES = ("2.0", "2.17") if sys.version_info < (3, 11) else ("2.17",)


def usable(release: str) -> str:
    """A release that is installed; else skip the test."""
    import pytest

    if release != RELEASES[0] and not NEWEST.exists():
        pytest.skip("NOT HELD BESIDE KUBEFLOW PIPELINES 2.17: `make .kfp-env/.ready` installs its SDK")
    return release


@functools.cache
def published(release: str) -> dict[str, Any]:
    """Read a release: `version`, `models` and `enumerations` by name, and `methods` by their name without the service's.

    A model is a type by field, as the generator writes it. A method has `verb`, `path`, `query`, `answers`, `takes` and `upload`.
    """
    if release == RELEASES[0]:
        return read()
    return json.loads(subprocess.run([NEWEST, "-I", __file__], capture_output=True, text=True, check=True, timeout=120).stdout)


def read() -> dict[str, Any]:
    """Read the release that this Python has."""
    import kfp_server_api
    import kfp_server_api.api as apis
    from kfp_server_api import models

    described = {name: kind for name, kind in vars(models).items() if hasattr(kind, "openapi_types")}
    return {
        "version": kfp_server_api.__version__,
        "models": {
            name: {kind.attribute_map[field]: type_ for field, type_ in kind.openapi_types.items()}
            for name, kind in described.items()
        },
        "enumerations": {
            name: kind.allowable_values for name, kind in described.items() if getattr(kind, "allowable_values", None)
        },
        "methods": dict(method for api in vars(apis).values() if inspect.isclass(api) for method in _methods(api)),
    }


def _methods(api: type) -> list[tuple[str, dict[str, Any]]]:
    service = re.sub("([A-Z])", r"_\1", api.__name__.removesuffix("Api")).lower().lstrip("_")
    found = []
    for name, function in inspect.getmembers(api, inspect.isfunction):
        if not name.endswith("_with_http_info"):
            continue
        source = inspect.getsource(function)
        path, verb = re.search(r"'(/apis/[^']*)', '(\w+)'", source).groups()
        body = re.search(r"body_params = local_var_params\['(\w+)'\]", source)
        takes = re.search(rf":type {body[1]}: (\w+)", source) if body else None
        answers = re.search(r"response_type='(\w+)'", source)
        method = {
            "verb": verb,
            "path": path,
            "query": sorted(re.findall(r"query_params\.append\(\('([\w.]+)'", source)),
            "answers": answers[1] if answers else None,
            "takes": takes[1] if takes else None,
            "upload": "multipart/form-data" in source,
        }
        found.append((name.removesuffix("_with_http_info").removeprefix(f"{service}_"), method))
    return found


if __name__ == "__main__":
    print(json.dumps(read()))
