"""Readers of container files: one module per format, each yielding the items of `items`."""
