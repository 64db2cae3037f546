"""TFX 1.16 beside TFX 1.21: `python -m benchmarks.lines`."""
