"""Names of the features of a picture's tf.Example."""

from __future__ import annotations

PREFIX = "image/"
ENCODED = f"{PREFIX}encoded"  # the file's bytes
FORMAT = f"{PREFIX}format"  # png, jpeg, gif or bmp
REENCODED_FROM = f"{PREFIX}reencoded_from"  # the format it was found in, '' where the bytes are as found
LABEL = f"{PREFIX}label"  # its label's name, '' where it has none
PATH = f"{PREFIX}path"  # where it was found
SHA256 = f"{PREFIX}sha256"  # the hash of its pixels
HEIGHT = f"{PREFIX}height"  # pixels
WIDTH = f"{PREFIX}width"  # pixels
CHANNELS = f"{PREFIX}channels"  # 1 to 4
MEAN = f"{PREFIX}mean"  # of its levels, 0 to 255
STD = f"{PREFIX}std"  # their standard deviation
EXPOSURE = f"{PREFIX}exposure"  # whether it is nearly black, white or constant
