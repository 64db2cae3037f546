"""The decoder as a program that needs no TensorFlow: `write_program`. The explorer's page runs it in a browser."""

from trainer.program.graph import UnknownLayer
from trainer.program.model import write_program

__all__ = ["UnknownLayer", "write_program"]
