"""Plain loops for comparison: read, decode, compute mean and standard deviation, write a TFRecord.

Each reader yields a name, a label, the pixels, and the bytes of the picture file. The bytes are None if there is no such file; the
pixels are then stored as PNG, because an example contains a picture file.
"""

from __future__ import annotations

import csv
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from PIL import Image
from scipy.io import loadmat

try:
    import webdataset
except ImportError:  # not one of the project's requirements
    webdataset = None

Pictures = Iterator[tuple[str, str, np.ndarray, bytes | None]]


def write_examples(read: Callable[[Path], Pictures], images: Path, out: Path) -> None:
    """Write all that a reader yields as one TFRecord file."""
    with tf.io.TFRecordWriter(str(out / "plain")) as writer:
        for name, label, pixels, data in read(images):
            if data is None:
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                data = buffer.getvalue()
            writer.write(_example(pixels, data, name, label))


def _example(pixels: np.ndarray, data: bytes, path: str, label: str) -> bytes:
    """Return a picture as a serialized tf.Example, in the way of TensorFlow's documentation."""
    feature = tf.train.Feature
    texts = {"encoded": data, "path": path.encode(), "label": label.encode(), "format": b"png"}
    numbers = dict(zip(("height", "width"), pixels.shape))
    features = {name: feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in texts.items()}
    features |= {name: feature(int64_list=tf.train.Int64List(value=[number])) for name, number in numbers.items()}
    levels = {"mean": pixels.mean(), "std": pixels.std()}
    features |= {name: feature(float_list=tf.train.FloatList(value=[level])) for name, level in levels.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def plain_files(images: Path) -> Pictures:
    """Yield picture files."""
    for path in sorted(images.rglob("*.*")):
        data = path.read_bytes()
        yield str(path), "", _decoded(data), data


def plain_imagefolder(images: Path) -> Pictures:
    """Yield picture files with the labels of metadata.csv."""
    for table in images.rglob("metadata.csv"):
        with table.open(newline="") as stream:
            for row in csv.DictReader(stream):
                path = table.parent / row["file_name"]
                data = path.read_bytes()
                yield str(path), row["label"], _decoded(data), data


def plain_idx(images: Path) -> Pictures:
    """Yield the pictures of an IDX file."""
    (path,) = images.glob("*images-idx3-ubyte")
    levels = np.frombuffer(path.read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)
    for number, pixels in enumerate(levels):
        yield str(number), "", pixels, None


def plain_idx_zip(images: Path) -> Pictures:
    """Yield the pictures and labels of compressed IDX files in a zip file."""
    (path,) = images.glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        packed = {name: gzip.decompress(archive.read(name)) for name in names}
    levels, labels = (np.frombuffer(packed[name], np.uint8, offset=16 if "idx3" in name else 8) for name in names)
    (count,) = struct.unpack_from(">I", packed[names[0]], 4)
    for number, (pixels, label) in enumerate(zip(levels.reshape(count, 28, 28), labels)):
        yield str(number), str(label), pixels, None


def plain_parquet(images: Path) -> Pictures:
    """Yield the rows of Parquet files, batch by batch."""
    for path in sorted(images.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                data = row["image"]["bytes"]
                yield row["image"]["path"], str(row["label"]), _decoded(data), data


def plain_arrow(images: Path) -> Pictures:
    """Yield the rows of Arrow streams, batch by batch."""
    for path in sorted(images.glob("*.arrow")):
        with pa.memory_map(str(path)) as source:
            for batch in pa.ipc.open_stream(source):
                for row in batch.to_pylist():
                    data = row["image"]["bytes"]
                    yield row["image"]["path"], str(row["label"]), _decoded(data), data


def plain_hdf5(images: Path) -> Pictures:
    """Yield the rows of an HDF5 file, in slices of the size of its chunks."""
    (path,) = images.glob("*.h5")
    with h5py.File(path) as file:
        labels = file["labels"][:]
        for start in range(0, len(labels), 256):
            for number, pixels in enumerate(file["images"][start : start + 256], start):
                yield str(number), str(labels[number]), pixels, None


def plain_mat(images: Path) -> Pictures:
    """Yield the pictures of a MATLAB file, along its last axis."""
    (path,) = images.glob("*.mat")
    result = loadmat(path)
    for number, label in enumerate(result["y"].ravel()):
        yield str(number), str(label), result["X"][..., number], None


def plain_pixel_csv(images: Path) -> Pictures:
    """Yield the rows of a CSV."""
    (path,) = images.glob("*.csv")
    with path.open(newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        for number, (label, *levels) in enumerate(rows):
            yield str(number), label, np.array(levels, np.uint8).reshape(28, 28), None


def plain_cifar(images: Path) -> Pictures:
    """Yield the records of CIFAR-10's binary files."""
    for path in sorted(images.glob("*.bin")):
        records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 3073)
        for number, record in enumerate(records):
            yield f"{path.name}#{number}", str(record[0]), record[1:].reshape(3, 32, 32).transpose(1, 2, 0), None


def plain_npz(images: Path) -> Pictures:
    """Yield the rows of an .npz file."""
    (path,) = images.glob("*.npz")
    with np.load(path) as result:
        for number, (pixels, label) in enumerate(zip(result["x_train"], result["y_train"])):
            yield str(number), str(label), pixels, None


def plain_tar(images: Path) -> Pictures:
    """Yield the samples of tar files, in which the class follows the picture."""
    for path in sorted(images.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member).read()
                if member.name.endswith(".png"):
                    name, data = member.name, content
                else:
                    yield name, content.decode(), _decoded(data), data


def plain_webdataset(images: Path) -> Pictures:
    """Yield the samples of tar files with the package `webdataset`."""
    paths = sorted(map(str, images.glob("*.tar")))
    for sample in webdataset.WebDataset(paths, shardshuffle=False, empty_check=False):
        yield sample["__key__"], sample["cls"].decode(), _decoded(sample["png"]), sample["png"]


def plain_tfrecord(images: Path) -> Pictures:
    """Yield the examples of TFRecords with tf.data."""
    features = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    records = tf.data.TFRecordDataset(sorted(map(str, images.glob("*.tfrecord*"))))
    parsed = records.map(lambda record: tf.io.parse_single_example(record, features), num_parallel_calls=tf.data.AUTOTUNE)
    for number, example in enumerate(parsed.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()):
        yield str(number), str(example["label"]), _decoded(example["image"]), example["image"]


READERS = {name: function for name, function in vars().items() if name.startswith("plain_")}
