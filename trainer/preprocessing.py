"""The pixel graph: from a file's bytes to pixels, the same in training and in serving.

TensorFlow Transform writes the graph once. The Trainer reads its data through it and exports it inside the model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from common.features import ENCODED
from trainer.config import PreprocessingConfig, with_tuples

PIXELS = "pixels"  # the transformed feature: float32 [n, height, width, channels] in [0, 1]
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PNG and JPEG tools use for gray


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Build the pixel graph: the entry point of TFX Transform, with a `PreprocessingConfig` as a dict in its `custom_config`.

    Returns:
        `pixels`: float32 [n, height, width, channels] in [0, 1]. Every value is a multiple of 1/255, or of 1/65535 for 16 bits.
    """
    config = PreprocessingConfig(**with_tuples(custom_config["preprocessing"]))
    encoded = tf.reshape(inputs[ENCODED], [-1])
    return {PIXELS: tf.ensure_shape(scale(level_decoder(config)(encoded)), [None, *config.image_shape])}


@functools.lru_cache(maxsize=16)
def level_decoder(config: PreprocessingConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function that applies `decode_levels` to each image of a batch, string [n].

    It is traced once in a process. Transform alone builds its graph eight times.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decode(encoded: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(lambda image: decode_levels(image, config), encoded, fn_output_signature=level_type(config.depth))

    return decode


def level_type(depth: int) -> tf.DType:
    """Return the type of levels of 8 or 16 bits."""
    return tf.uint16 if depth == 16 else tf.uint8


def scale(levels: tf.Tensor) -> tf.Tensor:
    """Convert levels, uint8 or uint16 of any shape, to float32 in [0, 1]."""
    return tf.cast(levels, tf.float32) / float(tf.as_dtype(levels.dtype).max)


def to_levels(pixels: tf.Tensor, depth: int = 8) -> tf.Tensor:
    """Convert pixels in [0, 1] to uint8 levels, or uint16 for 16 bits. It inverts `scale`, and rounds a decoder's pixels.

    Example:
        >>> to_levels(tf.constant([-1.0, 0.5, 1.0])).numpy()
        array([  0, 128, 255], dtype=uint8)
    """
    kind = level_type(depth)
    return tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 1.0) * float(kind.max)), kind)


def decode_levels(encoded: tf.Tensor, config: PreprocessingConfig) -> tf.Tensor:
    """Decode one image and convert it to the configured size and channels.

    Levels are integers on purpose: training can keep them as bytes without loss, and likelihoods of 8-bit data are exact.

    Args:
        encoded: string []: PNG, JPEG, GIF (first frame) or BMP with 1 to 4 channels, any size.
        config: The size and format to convert to.

    Returns:
        uint8 [height, width, channels], or uint16 if `config.depth` is 16.
    """
    image = _decode(encoded, config.depth)
    image = tf.ensure_shape(image, [None, None, None])
    as_wanted = tf.reduce_all(tf.equal(tf.shape(image), config.image_shape))
    image = tf.cond(as_wanted, lambda: image, lambda: _bring(image, config))
    return tf.ensure_shape(image, config.image_shape)


def _decode(encoded: tf.Tensor, depth: int) -> tf.Tensor:
    """Decode one image of any size to levels of 8 or 16 bits."""
    if depth == 8:
        return tf.io.decode_image(encoded, channels=0, expand_animations=False)
    # Only PNG has 16 bits. For all other formats TensorFlow would multiply by 256, which turns white into gray.
    is_png = tf.equal(tf.strings.substr(encoded, 0, 4), b"\x89PNG")
    return tf.cond(
        is_png,
        lambda: tf.io.decode_png(encoded, channels=0, dtype=tf.uint16),
        lambda: tf.cast(257 * tf.cast(tf.io.decode_image(encoded, channels=0, expand_animations=False), tf.int32), tf.uint16),
    )


def _bring(image: tf.Tensor, config: PreprocessingConfig) -> tf.Tensor:
    """Composite, convert and resize one image [h, w, 1..4]."""
    kind = image.dtype
    white = float(kind.max)
    background = tf.constant(config.background, tf.float32) * (white / 255.0)
    colour = _composite(image, background, white)
    if config.channels == 1:
        colour, background = _luma(colour), _luma(background)
    size = [config.height, config.width]
    if config.fit == "pad":
        # Pad last: around an unscaled image of 1x20000 the bars would take gigabytes.
        resized = _pad(_resize(colour, _size_within(colour, size), config), size, background)
    else:
        resized = _resize(_crop(colour, size) if config.fit == "crop" else colour, size, config)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0.0, white)), kind)


def _luma(colour: tf.Tensor) -> tf.Tensor:
    """Convert RGB float32 [..., 3] to gray [..., 1]."""
    return tf.tensordot(colour, tf.constant(LUMA), 1)[..., tf.newaxis]


def _composite(image: tf.Tensor, background: tf.Tensor, white: float) -> tf.Tensor:
    """Composite levels [h, w, 1..4] (gray, gray + alpha, RGB, RGBA) over the background [3]: integers, RGB float32 [h, w, 3]."""
    kind = tf.float32 if white == 255.0 else tf.float64  # products of 16 bits are exact in no smaller type
    image, background = tf.cast(image, kind), tf.cast(background, kind)
    channels = tf.shape(image)[2]
    colours = channels - (1 - channels % 2)  # 2 and 4 channels end with alpha
    padded = tf.concat([image, tf.fill(tf.concat([tf.shape(image)[:2], [1]], 0), tf.constant(white, kind))], axis=2)
    alpha = padded[..., colours, tf.newaxis]  # an opaque plane if the image has no alpha
    rgb = tf.gather(image, tf.minimum([0, 1, 2], colours - 1), axis=2)
    # Rounded here: graph optimizers rewrite the division, and levels would depend on the runtime.
    return tf.cast(tf.round((rgb * alpha + background * (white - alpha)) / white), tf.float32)


def _crop(image: tf.Tensor, size: list[int]) -> tf.Tensor:
    """Crop an image [h, w, c] to the largest centered part with the aspect ratio of `size` (rows, columns)."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    # Exact integer arithmetic: an image that already has the ratio must not lose a row to rounding.
    new_height = tf.maximum(1, tf.minimum(height, width * size[0] // size[1]))
    new_width = tf.maximum(1, tf.minimum(width, height * size[1] // size[0]))
    return tf.image.crop_to_bounding_box(image, (height - new_height) // 2, (width - new_width) // 2, new_height, new_width)


def _size_within(image: tf.Tensor, size: list[int]) -> tf.Tensor:
    """Return the largest size, int32 [2], that has the aspect ratio of an image [h, w, c] and fits into `size`."""
    shape = tf.shape(image)[:2]
    scaled = (2 * shape * size[::-1] + shape[::-1]) // (2 * shape[::-1])  # each side as the other one is scaled, rounded
    return tf.clip_by_value(scaled, 1, size)


def _pad(image: tf.Tensor, size: list[int], background: tf.Tensor) -> tf.Tensor:
    """Center an image [h, w, c] on one of `size` (rows, columns), filled with the background [c]."""
    top, left = tf.unstack((size - tf.shape(image)[:2]) // 2)
    return tf.image.pad_to_bounding_box(image - background, top, left, *size) + background


def _resize(image: tf.Tensor, size: tf.Tensor | list[int], config: PreprocessingConfig) -> tf.Tensor:
    """Resize float32 [h, w, c] with the configured filter if either side shrinks, else bilinearly."""
    shrinks = tf.reduce_any(tf.shape(image)[:2] > size)
    return tf.cond(
        shrinks,
        lambda: tf.image.resize(image, size, method=config.resize, antialias=True),
        lambda: tf.image.resize(image, size, method="bilinear"),
    )
