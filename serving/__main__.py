"""Run `python -m serving`: only the commands for pushed models. They need TensorFlow's library, NumPy, Pillow and click."""

from __future__ import annotations

import click

from serving.commands import COMMANDS

cli = click.Group("darkroom", commands=list(COMMANDS), help="Draw, rebuild and measure pictures with a pushed model.")

if __name__ == "__main__":
    cli(prog_name="darkroom")
