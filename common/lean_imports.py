"""Import large libraries without the packages that they import and that a run does not use."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# Optional packages: Keras, TFDV and nltk import the first three if they exist, for notebooks, plots and wrappers; Beam the others,
# for databases and queues that no component reads.
ABSENT = frozenset({"IPython", "matplotlib", "sklearn", "bson", "pymongo", "google.cloud.bigquery", "google.cloud.pubsub"})
# Modules whose contents are used only by functions that a run rarely or never calls: a Kubernetes server for InfraValidator, and
# plots in notebooks. They are loaded when they are used.
DEFERRED = frozenset({"tfx.components.infra_validator.model_server_runners.kubernetes_runner", "tensorflow_model_analysis.view"})


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within the context, hide optional packages from importing modules, and defer modules until they are used.

    It takes about a third of the time of importing TFX. Without garbage collection, which would visit the many new objects again
    and again, it is another tenth.
    """
    finder, collects = _Finder(), gc.isenabled()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collects:
            gc.enable()
            gc.freeze()  # modules live as long as the process


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name in ABSENT or name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name in DEFERRED else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any):
        self.loader = loader

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _DeferredModule


class _DeferredModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        path = self.__dict__.get("__path__")
        if path and importlib.machinery.PathFinder.find_spec(f"{self.__name__}.{name}", path):
            raise AttributeError(name)  # a module of the package, which the import system imports next
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.loader.exec_module(self)  # type: ignore[union-attr]
        return getattr(self, name)
