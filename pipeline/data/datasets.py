"""Prepare well-known data sets by name: find them on this machine, or download them from their source and verify them."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.progress import report_progress
from components.image_example_gen.readers.arrays.idx import write_idx

ENVIRONMENT_VARIABLE = "DARKROOM_DATASETS"

_DIGITS = tuple("0123456789")
_TIMEOUT_SECONDS = 30
_BLOCK = 1 << 20


@dataclass(frozen=True)
class PreparedDataset:
    """A data set that is ready to read."""

    folder: str  # the folder of its pictures, for `ImageExampleGen`
    label_names: tuple[str, ...]  # the names of its labels 0, 1, 2 ...


@dataclass(frozen=True)
class Source:
    """The source of a data set."""

    url: str  # the folder of its files, ending in a slash
    files: dict[str, str]  # the SHA-256 of each file by its name
    label_names: tuple[str, ...]  # the names of its labels


_FASHION_MNIST_STATE = "b2617bb6d3ffa2e429640350f613e3291e10b141"
FASHION_MNIST = Source(
    # The repository of the authors, at a fixed commit.
    f"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/{_FASHION_MNIST_STATE}/data/fashion/",
    {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    ("t_shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"),
)
MNIST = Source(
    # The original address, yann.lecun.com, no longer serves the files. TensorFlow Datasets downloads them from here.
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    _DIGITS,
)
CIFAR10 = Source(
    "https://www.cs.toronto.edu/~kriz/",
    {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)

CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_BATCHES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
CIFAR10_PICTURES = 10_000  # in each batch


def prepare_dataset(name: str, data_root: str | None, work: str) -> PreparedDataset:
    """Find the files of a data set, or download them into WORK/datasets/<name>/.

    Existing files are not written again, so that their fingerprint stays the same.

    Args:
        name: One of `DATASETS`.
        data_root: A folder of data sets. The files are in it or in its subfolder <name>. None takes the folder that the
            environment variable DARKROOM_DATASETS names, if any.
        work: The work folder.

    Raises:
        InputError: The name is unknown, or the files can be neither found nor downloaded.
    """
    if name not in DATASETS:
        raise InputError(f"no data set is called {name!r}: known are {', '.join(DATASETS)}; give your own by --images")
    root = data_root or os.environ.get(ENVIRONMENT_VARIABLE) or None
    if root and not os.path.isdir(root):
        origin = "" if data_root else f", which {ENVIRONMENT_VARIABLE} names,"
        raise InputError(f"the folder of data sets {root}{origin} does not exist")
    own = Path(work).absolute() / "datasets" / name
    roots = [Path(root).absolute() / name, Path(root).absolute()] if root else []
    return DATASETS[name](own, roots)


def _prepare_digits(own: Path, roots: list[Path]) -> PreparedDataset:
    """Write scikit-learn's 1,797 handwritten digits, 8x8 with levels 0 to 16, as IDX files."""
    images, labels = own / "digits-images-idx3-ubyte.gz", own / "digits-labels-idx1-ubyte.gz"
    if not (images.exists() and labels.exists()):
        from sklearn.datasets import load_digits

        own.mkdir(parents=True, exist_ok=True)
        digits = load_digits()
        levels = np.round(digits.images * 255 / 16).astype(np.uint8)
        write_idx(labels, digits.target.shape, [digits.target.astype(np.uint8).tobytes()])
        write_idx(images, levels.shape, [levels.tobytes()])
    return PreparedDataset(str(own), _DIGITS)


def _prepare_idx(source: Source, own: Path, roots: list[Path]) -> PreparedDataset:
    """Find the IDX files of a data set, compressed or not, or download them."""
    for folder in (*roots, own):
        files = _find_idx(folder, source)
        if files and folder.name == own.name:
            return PreparedDataset(str(folder), source.label_names)
        if files and not _is_another(files, source):
            # The folder may contain other files: link only those of this data set.
            linked = own.parent / "linked" / own.name
            _link(files, linked)
            return PreparedDataset(str(linked), source.label_names)
    for file in source.files:
        _download(source, file, own)
    return PreparedDataset(str(own), source.label_names)


def _find_idx(folder: Path, source: Source) -> list[Path]:
    """Return all files of a data set in `folder`, or an empty list if one is missing."""
    items = []
    for packed in source.files:
        plain = packed.removesuffix(".gz")
        names = (packed, plain, plain.replace("-idx", ".idx"))
        items += [folder / name for name in names if (folder / name).is_file()][:1]
    return items if len(items) == len(source.files) else []


def _is_another(files: Iterable[Path], source: Source) -> bool:
    """Return True if the files belong to another data set. MNIST and its relatives use the same file names."""
    others = {checksum for other in (MNIST, FASHION_MNIST) if other is not source for checksum in other.files.values()}
    return any(_sha256(path) in others for path in files)


def _link(files: Iterable[Path], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file)


def _prepare_cifar10(own: Path, roots: list[Path]) -> PreparedDataset:
    """Convert CIFAR-10's binary batches to IDX files of the shape (pictures, 32, 32, 3)."""
    converted = own / "idx"
    targets = [converted / f"{split}-{kind}-ubyte" for split in CIFAR10_BATCHES for kind in ("images-idx4", "labels-idx1")]
    if not all(target.exists() for target in targets):
        (archive,) = CIFAR10.files
        folders = [folder / CIFAR10_FOLDER for folder in (*roots, own)]
        archives = [folder / archive for folder in (*roots, own)]
        batches = next((folder for folder in folders if _has_batches(folder)), None)
        if batches:
            _convert_cifar10(batches, converted)
        else:
            result = next((path for path in archives if path.is_file()), None)
            _unpack_and_convert_cifar10(result or _download(CIFAR10, archive, own), converted)
    return PreparedDataset(str(converted), CIFAR10.label_names)


def _has_batches(folder: Path) -> bool:
    return all((folder / name).is_file() for names in CIFAR10_BATCHES.values() for name in names)


def _unpack_and_convert_cifar10(archive: Path, own: Path) -> None:
    own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own, prefix=".unpacking-") as temporary:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    if member.isfile() and member.name.endswith(".bin"):
                        with open(Path(temporary) / Path(member.name).name, "wb") as file:
                            shutil.copyfileobj(tar.extractfile(member), file)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise InputError(f"{archive} cannot be unpacked ({error}): download it again") from error
        if not _has_batches(Path(temporary)):
            raise InputError(f"{archive} does not hold CIFAR-10's six batches: fetch the binary version")
        _convert_cifar10(Path(temporary), own)


def _convert_cifar10(batches: Path, own: Path) -> None:
    own.mkdir(parents=True, exist_ok=True)
    for split, names in CIFAR10_BATCHES.items():
        paths = [batches / name for name in names]
        for path in paths:
            if path.stat().st_size != CIFAR10_PICTURES * 3073:
                raise InputError(f"{path} is not a batch of CIFAR-10: it has {path.stat().st_size:,} bytes")
        count = CIFAR10_PICTURES * len(paths)
        write_idx(own / f"{split}-labels-idx1-ubyte", (count,), (_batch(path)[:, 0].tobytes() for path in paths))
        write_idx(own / f"{split}-images-idx4-ubyte", (count, 32, 32, 3), (_pixels(path) for path in paths))


def _batch(path: Path) -> np.ndarray:
    """Return a batch as uint8 [pictures, 3073]: the label, then the red, the green and the blue plane."""
    return np.fromfile(path, np.uint8).reshape(-1, 3073)


def _pixels(path: Path) -> bytes:
    return _batch(path)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).tobytes()


def _download(source: Source, name: str, folder: Path) -> Path:
    """Download a file into `folder` unless it exists. It gets its final name after its checksum is verified."""
    path, partial = folder / name, folder / f"{name}.part"
    if path.is_file():
        return path
    by_hand = f"put {', '.join(source.files)} into {folder} by hand, or name the folder that holds them by --data-root"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _fetch(source.url + name, partial)
    except (OSError, http.client.HTTPException, ValueError) as error:
        partial.unlink(missing_ok=True)
        cause = getattr(error, "reason", error)
        reason = " ".join(str(getattr(cause, "strerror", None) or cause).split())
        raise InputError(f"{source.url}{name} cannot be downloaded ({reason}): {by_hand}") from error
    checksum = _sha256(partial)
    if checksum != source.files[name]:
        partial.unlink()
        sums = f"{checksum[:12]}..., not {source.files[name][:12]}..."
        raise InputError(f"{source.url}{name} came with the checksum {sums}: try again, or {by_hand}")
    return partial.rename(path)


def _fetch(url: str, path: Path) -> None:
    reported, done = 0.0, 0
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response, open(path, "wb") as file:
        total = int(response.headers.get("Content-Length") or 0)
        for block in iter(partial(response.read, _BLOCK), b""):
            file.write(block)
            done += len(block)
            if time.monotonic() - reported > 0.2 or done == total:
                reported = time.monotonic()
                report_progress(f"downloading {path.stem}", done=done >> 10, total=total >> 10 or None, unit="KiB")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(partial(file.read, _BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


DATASETS: dict[str, Callable[[Path, list[Path]], PreparedDataset]] = {
    "digits": _prepare_digits,
    "mnist": lambda own, roots: _prepare_idx(MNIST, own, roots),
    "fashion-mnist": lambda own, roots: _prepare_idx(FASHION_MNIST, own, roots),
    "cifar10": _prepare_cifar10,
}
