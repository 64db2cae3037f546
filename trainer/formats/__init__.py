"""A trained model's decoder and encoder in the formats of other programs: `export_model`."""

from trainer.formats.export import FORMATS, Exported, export_model

__all__ = ["FORMATS", "Exported", "export_model"]
