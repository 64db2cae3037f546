"""What `encode` sees of a file is what the trainer saw of it, bit for bit, in every format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import components.data_gate
from components.image_example_gen.config import DataConfig
from serving import pushed
from serving.picture_files import PictureOptions
from serving.picture_files.base import NAMES
from tests.components.image_example_gen.ingestion import ingest
from tests.serving.picture_files.made import ADOBE_RGB, profile, saved, tiff
from trainer.config import PreprocessingConfig
from trainer.preprocessing import decode_levels

RNG = np.random.default_rng(0)
GREY, COLOUR, ALPHA = (RNG.integers(0, 256, shape, np.uint8) for shape in ((30, 20), (30, 20, 3), (30, 20, 4)))


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def formats() -> dict[str, tuple[Image.Image, str, dict]]:
    """Pictures of every kind: what they are, the format, and how they are saved."""
    grey, colour, alpha = map(Image.fromarray, (GREY, COLOUR, ALPHA))
    sixteen = Image.fromarray(GREY.astype(np.uint16) * 250 + 77)
    found = {
        "1bit.png": (grey.convert("1"), "PNG", {}),
        "2bit.png": (colour.quantize(4), "PNG", {"bits": 2}),
        "4bit.png": (colour.quantize(16), "PNG", {"bits": 4}),
        "grey.png": (grey, "PNG", {}),
        "16bit.png": (sixteen, "PNG", {}),
        "palette.png": (colour.quantize(200), "PNG", {}),
        "transparent palette.png": (colour.quantize(200), "PNG", {"transparency": 3}),
        "colour.png": (colour, "PNG", {}),
        "alpha.png": (alpha, "PNG", {}),
        "grey alpha.png": (alpha.convert("LA"), "PNG", {}),
        "turned.png": (colour, "PNG", {"exif": exif(8)}),
        "plain.jpg": (colour, "JPEG", {"quality": 90}),
        "grey.jpg": (grey, "JPEG", {}),
        "progressive.jpg": (colour, "JPEG", {"progressive": True}),
        "cmyk.jpg": (colour.convert("CMYK"), "JPEG", {}),
        "plain.gif": (grey, "GIF", {}),
        "animated.gif": (grey, "GIF", {"save_all": True, "append_images": [colour]}),
        "transparent.gif": (colour.quantize(100), "GIF", {"transparency": 5}),
        "plain.webp": (colour, "WEBP", {"quality": 80}),
        "alpha.webp": (alpha, "WEBP", {"lossless": True}),
        "animated.webp": (colour, "WEBP", {"save_all": True, "append_images": [alpha]}),
        "plain.bmp": (colour, "BMP", {}),
        "grey.bmp": (grey, "BMP", {}),
        "palette.bmp": (colour.quantize(200), "BMP", {}),
        "1bit.bmp": (grey.convert("1"), "BMP", {}),
        "plain.tif": (colour, "TIFF", {}),
        "lzw.tif": (alpha, "TIFF", {"compression": "tiff_lzw"}),
        "16bit.tif": (sixteen, "TIFF", {}),
        "cmyk.tif": (colour.convert("CMYK"), "TIFF", {}),
        "turned.tif": (colour, "TIFF", {"exif": exif(3)}),
        "jpeg by content.png": (colour, "JPEG", {}),
        "plain.avif": (colour, "AVIF", {"quality": 90}),
        "plain.jp2": (colour, "JPEG2000", {}),
        "plain.ppm": (colour, "PPM", {}),
        "plain.qoi": (colour, "QOI", {}),
    }
    return found | {f"turned {how}.jpg": (colour, "JPEG", {"exif": exif(how)}) for how in range(1, 9)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The files, and the examples that were made of them."""
    folder = tmp_path_factory.mktemp("every format")
    for name, (image, kind, options) in formats().items():
        image.save(folder / name, kind, **options)
    for seed in range(40):  # so that no split is empty
        Image.fromarray(RNG.integers(0, 256, (5, 5), np.uint8)).save(folder / f"more-{seed}.png")
    result = ingest(folder, tmp_path_factory.mktemp("out") / "examples")
    assert not result.rejects
    dropped = {line.split('"')[3] for line in (result.uri / "duplicates.jsonl").read_text().splitlines()}
    return folder, result.examples(), dropped


@pytest.mark.parametrize("name", formats())
def test_serving_reads_the_very_bytes_that_the_trainer_read(pictures, name):
    """Both put them through one pixel graph, so the same bytes are the same pixels."""
    folder, examples, dropped = pictures
    if name in dropped:  # pixel for pixel another one of them
        return
    (contents, unreadable) = pushed._read([folder / name], PictureOptions())
    assert not unreadable and contents == [(folder / name, examples[name]["image/encoded"])]


@pytest.mark.parametrize("name", formats())
def test_what_is_accepted_is_what_a_person_sees(pictures, name):
    """The pixel graph against Pillow, which shows pictures upright, in their colours, over white where they are transparent."""
    folder, examples, dropped = pictures
    if name in dropped:
        return
    levels = decode_levels(examples[name]["image/encoded"], PreprocessingConfig(30, 20, 3, fit="stretch")).numpy()
    with Image.open(folder / name) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        white = Image.new("RGBA", upright.size, "white")
        white.alpha_composite(upright.convert("RGBA"))
    if upright.size != (20, 30):
        return  # turned on its side and stretched: the pixels are compared in test_picture_files
    difference = np.abs(levels.astype(int) - np.asarray(white.convert("RGB")))
    assert difference.mean() < (6 if "cmyk.jpg" in name else 3 if name.endswith((".jpg", "content.png", ".avif")) else 0.01)


WIDE = profile(ADOBE_RGB, 2.2)
DEEP = RNG.integers(0, 4096, (30, 20, 3), np.uint16)
OPTIONS = {
    "depth": {"depth": 16},
    "levels": {"levels": 4095},
    "depth and levels": {"depth": 16, "levels": 4095},
    "range": {"range": (-1.0, 2.0)},
    "range in 16 bits": {"range": (-1.0, 2.0), "depth": 16},
    "profiles ignored": {"icc": "ignore"},
    "usual": {},
}


def odd_files() -> dict[str, bytes]:
    """Files that options are about."""
    floats = (RNG.random((30, 20, 3)) * 3 - 1).astype(np.float32)
    return {
        "wide.png": saved(COLOUR, "PNG", icc_profile=WIDE),
        "wide.jpg": saved(COLOUR, "JPEG", icc_profile=WIDE),
        "deep.tif": tiff(DEEP),
        "deep.pgm": b"P5 20 30 4095\n" + DEEP[..., 0].astype(">u2").tobytes(),
        "deep.png": saved(DEEP[..., 1], "PNG"),
        "floats.tif": tiff(floats, sample_format=3),
        "floats.pfm": b"PF\n20 30\n-1\n" + floats.tobytes(),
        "grey.bmp": saved(GREY, "BMP"),
        "plain.gif": saved(GREY, "GIF"),
        "turned.jpg": saved(COLOUR, "JPEG", exif=exif(6)),
    }


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_with_any_options_serving_reads_what_the_trainer_read(options, tmp_path):
    """The options go through model.json, as plain values."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, data in odd_files().items():
        (folder / name).write_bytes(data)
    for seed in range(60):
        saved_as = np.uint8 if "levels" not in options else np.uint16
        (folder / f"more-{seed}.png").write_bytes(saved(RNG.integers(0, 256, (5, 5)).astype(saved_as), "PNG"))
    result = ingest(folder, tmp_path / "examples", DataConfig(max_rejects=1.0, **options))
    examples, rejects = result.examples(), result.rejects
    assert {*examples, *rejects} >= {*odd_files()} and len(examples) > 60
    from_json = PictureOptions.from_dict(json.loads(json.dumps(DataConfig(**options).pictures.to_dict())))
    contents, unreadable = pushed._read([folder / name for name in odd_files()], from_json)
    assert {path.name: data for path, data in contents} == {
        name: examples[name]["image/encoded"] for name in odd_files() if name in examples
    }
    assert {path.name: reason for path, reason in unreadable} == {name: rejects[name] for name in odd_files() if name in rejects}
    for name in {*odd_files()} & {*examples}:
        levels = decode_levels(examples[name]["image/encoded"], PreprocessingConfig(30, 20, 3, depth=options.get("depth", 8)))
        assert levels.dtype == ("uint16" if options.get("depth") == 16 else "uint8")


def test_the_schema_knows_every_format():
    text = Path(components.data_gate.__file__).with_name("schema.pbtxt").read_text()
    domain = text.split('name: "image/reencoded_from"')[1].split("feature {")[0]
    assert set(re.findall('value: "([a-z0-9]+)"', domain)) == {*NAMES}
