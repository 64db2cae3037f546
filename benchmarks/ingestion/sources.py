"""Write files that contain many pictures, each in the form that is usual for its format."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.ingestion.pictures import drawings, write_pngs

LABELS = 10
_GROUP = 100  # rows of a group, as Hugging Face writes for pictures
_SHARD = 10_000  # pictures of a tar or TFRecord file
_NAMES = [f"kind {number}" for number in range(LABELS)]


def _color(count: int) -> Iterator[np.ndarray]:
    """Yield blocks of drawings in color, uint8 [n, 32, 32, 3]."""
    for grey in drawings(count):
        padded = np.pad(grey, ((0, 0), (2, 2), (2, 2)))
        yield np.stack([padded, padded[:, ::-1], padded[:, :, ::-1]], axis=-1)


def _labels(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint8) % LABELS


def _pngs(count: int) -> Iterator[tuple[int, bytes]]:
    """Yield a label and a PNG file for each drawing."""
    number = 0
    for block in drawings(count):
        for levels in block:
            buffer = io.BytesIO()
            Image.fromarray(levels).save(buffer, "PNG")
            yield number % LABELS, buffer.getvalue()
            number += 1


def _batches(count: int) -> Iterator[object]:
    """Yield record batches with the columns `image` (bytes and path) and `label`, and the metadata of Hugging Face."""
    import pyarrow as pa

    features = {"image": {"_type": "Image"}, "label": {"names": _NAMES, "_type": "ClassLabel"}}
    fields = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())]
    schema = pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
    rows: list[tuple[int, bytes]] = []
    for number, row in enumerate(_pngs(count), 1):
        rows.append(row)
        if len(rows) == _GROUP or number == count:
            images = [{"bytes": data, "path": f"{place}.png"} for place, (_, data) in enumerate(rows)]
            yield pa.RecordBatch.from_arrays(
                [pa.array(images, schema.field("image").type), pa.array([label for label, _ in rows])], schema=schema
            )
            rows = []


def write_parquet(folder: Path, count: int) -> None:
    """Write a Parquet file with a hundred pictures per row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    writer = None
    for batch in _batches(count):
        writer = writer or pq.ParquetWriter(folder / "train-00000-of-00001.parquet", batch.schema)
        writer.write_table(pa.Table.from_batches([batch]), row_group_size=_GROUP)
    writer.close()


def write_arrow(folder: Path, count: int) -> None:
    """Write an Arrow stream, as `save_to_disk` does."""
    import pyarrow as pa

    folder.mkdir(parents=True)
    writer = None
    for batch in _batches(count):
        writer = writer or pa.ipc.new_stream(folder / "data-00000-of-00001.arrow", batch.schema)
        writer.write_batch(batch)
    writer.close()


def write_hdf5(folder: Path, count: int) -> None:
    """Write an HDF5 file with the data sets `images` and `labels`. The images are in chunks of 256 rows, compressed with gzip."""
    import h5py

    folder.mkdir(parents=True)
    with h5py.File(folder / "train.h5", "w") as file:
        shape = (count, 28, 28)
        images = file.create_dataset("images", shape, np.uint8, chunks=(256, 28, 28), compression="gzip", compression_opts=1)
        for number, block in enumerate(drawings(count)):
            images[1000 * number : 1000 * number + len(block)] = block
        file["labels"] = _labels(count)


def write_mat(folder: Path, count: int) -> None:
    """Write a MATLAB file like that of SVHN: X [32, 32, 3, n] and y [n, 1], where 10 is the digit zero."""
    from scipy.io import savemat

    folder.mkdir(parents=True)
    pixels = np.concatenate(list(_color(count))).transpose(1, 2, 3, 0)
    savemat(folder / "train_32x32.mat", {"X": pixels, "y": _labels(count)[:, None] + 1}, do_compression=True)


def write_pixel_csv(folder: Path, count: int) -> None:
    """Write rows of a label and 784 pixel values under a header."""
    folder.mkdir(parents=True)
    with (folder / "train.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *(f"pixel{number}" for number in range(784))])
        number = 0
        for block in drawings(count):
            for row in block.reshape(len(block), -1).tolist():
                writer.writerow([number % LABELS, *row])
                number += 1


def write_cifar(folder: Path, count: int) -> None:
    """Write the binary files of CIFAR-10: a label byte and three planes per picture, 10,000 pictures per file."""
    folder.mkdir(parents=True)
    (folder / "batches.meta.txt").write_text("\n".join(_NAMES) + "\n")
    for number, block in enumerate(_color(count)):
        records = np.empty((len(block), 3073), np.uint8)
        records[:, 0] = _labels(len(block))
        records[:, 1:] = block.transpose(0, 3, 1, 2).reshape(len(block), -1)
        with (folder / f"data_batch_{number // 10 + 1}.bin").open("ab") as stream:
            stream.write(records.tobytes())


def write_webdataset(folder: Path, count: int) -> None:
    """Write tar files with a class file beside each picture, `_SHARD` pictures per file."""
    folder.mkdir(parents=True)
    rows = enumerate(_pngs(count))
    for shard in range(-(-count // _SHARD)):
        with tarfile.open(folder / f"train-{shard:06d}.tar", "w") as archive:
            for number, (label, data) in itertools.islice(rows, _SHARD):
                for suffix, content in (("png", data), ("cls", str(label).encode())):
                    info = tarfile.TarInfo(f"{number:08d}.{suffix}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def write_npz(folder: Path, count: int) -> None:
    """Write a compressed .npz file with the arrays that Keras uses."""
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "mnist.npz", x_train=np.concatenate(list(drawings(count))), y_train=_labels(count))


def write_idx_zip(folder: Path, count: int) -> None:
    """Write a zip file of compressed IDX files, in the form of EMNIST."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        parts = {"images-idx3": ((count, 28, 28), drawings(count)), "labels-idx1": ((count,), [_labels(count)])}
        for name, (shape, blocks) in parts.items():
            inside = archive.open(f"gzip/letters-train-{name}-ubyte.gz", "w", force_zip64=True)
            with inside, gzip.GzipFile(fileobj=inside, mode="wb", compresslevel=6) as stream:
                stream.write(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape))
                for block in blocks:
                    stream.write(block.tobytes())


def write_tfrecord(folder: Path, count: int) -> None:
    """Write TFRecords with the features of TFDS, `_SHARD` pictures per file."""
    import tensorflow as tf

    folder.mkdir(parents=True)
    (folder / "label.labels.txt").write_text("\n".join(_NAMES) + "\n")
    shards = -(-count // _SHARD)
    rows = _pngs(count)
    for shard in range(shards):
        with tf.io.TFRecordWriter(str(folder / f"mnist-train.tfrecord-{shard:05d}-of-{shards:05d}")) as writer:
            for label, data in itertools.islice(rows, _SHARD):
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
                kind = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
                features = tf.train.Features(feature={"image": image, "label": kind})
                writer.write(tf.train.Example(features=features).SerializeToString())


def write_imagefolder(folder: Path, count: int) -> None:
    """Write PNG files, and a metadata.csv with their labels."""
    write_pngs(folder / "train", count)
    with (folder / "train" / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_name", "label"])
        writer.writerows([f"{number // 1000:04d}/{number % 1000:03d}.png", _NAMES[number % LABELS]] for number in range(count))
