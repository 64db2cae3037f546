"""Read CSVs of pixels: Kaggle's digits and Fashion-MNIST, FER2013 and similar ones."""

from components.image_example_gen.readers.pixel_csv.reader import PixelCsv, find, is_mine, is_pixels

__all__ = ["PixelCsv", "find", "is_mine", "is_pixels"]
