"""The feature names of a picture's tf.Example."""

from __future__ import annotations

PREFIX = "image/"
ENCODED = f"{PREFIX}encoded"  # the file's bytes
FORMAT = f"{PREFIX}format"  # png, jpeg, gif or bmp
REENCODED_FROM = f"{PREFIX}reencoded_from"  # the original format, '' if the bytes are unchanged
LABEL = f"{PREFIX}label"  # the name of its label, '' if it has none
PATH = f"{PREFIX}path"  # the path of its file
SHA256 = f"{PREFIX}sha256"  # the hash of its pixels
HEIGHT = f"{PREFIX}height"  # pixels
WIDTH = f"{PREFIX}width"  # pixels
CHANNELS = f"{PREFIX}channels"  # 1 to 4
MEAN = f"{PREFIX}mean"  # mean of its pixel values, 0 to 255
STD = f"{PREFIX}std"  # standard deviation of its pixel values
EXPOSURE = f"{PREFIX}exposure"  # flags a picture that is nearly black, nearly white or constant
