"""The image that the Dockerfile starts from, where no registry can be reached: Debian's root, and the Python that runs this."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kubeflow.cluster.engine import Engine, NoEngine
from tests.kubeflow.dockerfile import DOCKERFILE, line_arguments, stages

# What the official images leave out of Python too.
LEFT_OUT = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3/tests", "site-packages")


def base_name() -> str:
    """Return what FROM names, for this Python's line of TFX."""
    (name,) = {stage.base for stage in stages(DOCKERFILE.read_text(encoding="utf-8")) if ":" in stage.base}
    return next((option.partition("BASE=")[2] for option in line_arguments() if "BASE=" in option), name)


def ensure_base(engine: Engine) -> str:
    """Return the name of the base; make it where the engine's storage has none of that name.

    The one that is made is called localhost/..., which no registry answers to. It stays in the storage.

    Raises:
        NoEngine: It is not there and cannot be made.
    """
    name = base_name()
    if engine.has_image(name):
        return name
    if engine.name != "podman":
        raise NoEngine(f"{engine.name} has no image {name}: `{engine.name} pull {name}`")
    missing = [command for command in ("debootstrap", "tar", "dpkg") if shutil.which(command) is None]
    if missing or os.geteuid():
        raise NoEngine(f"there is no image {name}, and without {', '.join(missing) or 'root'} none can be made")
    prefix = Path(sys.base_prefix).resolve()
    if prefix == Path("/usr"):
        raise NoEngine(f"there is no image {name}, and the system's own Python cannot be copied into one")
    with tempfile.TemporaryDirectory(prefix="darkroom-base-") as folder:
        root = Path(folder) / "root"
        bootstrap(root, libraries_of(prefix))
        copy_python(prefix, root)
        import_root(engine, root, f"localhost/{name}")
    return name


def libraries_of(prefix: Path) -> list[str]:
    """Return the Debian packages that hold the shared libraries of a Python, but for its windows."""
    modules = [path for path in prefix.glob("lib/python3.*/lib-dynload/*.so") if "tkinter" not in path.name]
    linked = subprocess.run(["ldd", *map(str, [prefix / "bin/python3", *modules])], check=True, capture_output=True, text=True)
    files = {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", linked.stdout) if not path.startswith(str(prefix))}
    # Where /lib is a link to /usr/lib, dpkg knows some files by the one name and some by the other.
    names = [name for path in sorted(files) for name in (path, path.removeprefix("/usr"))]
    found = subprocess.run(["dpkg", "--search", *names], check=False, capture_output=True, text=True)
    return sorted({line.split(":")[0] for line in found.stdout.splitlines()})


def bootstrap(root: Path, packages: list[str]) -> None:
    """Make a root of this machine's own release, so that a Python of this machine runs in it."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    include = ",".join(["ca-certificates", "netbase", "tzdata", *packages])
    command = ["debootstrap", "--variant=minbase", f"--include={include}", release["VERSION_CODENAME"], str(root)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise NoEngine(f"debootstrap made no root: {' '.join(done.stdout.split())[-200:]}")
    for emptied in ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / emptied, ignore_errors=True)
        (root / emptied).mkdir()


def copy_python(prefix: Path, root: Path) -> None:
    """Copy a Python to /usr/local, as in the official images, with pip of its own making."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    excluded = [f"--exclude=./{library}/{name}" for name in LEFT_OUT]
    pack = ["tar", "-C", str(prefix), "-c", *excluded, "--exclude=__pycache__", "--exclude=*.a", "--exclude=./share", "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as packed:
        subprocess.run(["tar", "-C", str(root / "usr/local"), "-x", "--no-same-owner"], stdin=packed.stdout, check=True)
    (root / "usr/local" / library / "site-packages").mkdir(exist_ok=True)
    for command in (["ldconfig"], ["/usr/local/bin/python3", "-m", "ensurepip"]):
        subprocess.run(["chroot", str(root), *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    python = root / "usr/local/bin/python"
    if not python.exists():
        python.symlink_to("python3")


def import_root(engine: Engine, root: Path, name: str) -> None:
    """Put a root into the engine's storage as an image of one layer."""
    with subprocess.Popen(["tar", "-C", str(root), "--one-file-system", "-c", "."], stdout=subprocess.PIPE) as packed:
        engine.call("import", "--quiet", "-", name, stdin=packed.stdout)
