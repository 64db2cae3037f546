"""Ingestion: a folder of pictures becomes splits of tf.Examples.

`config` and `sources` need neither TensorFlow nor TFX, so that a command line can check its arguments at once; the
component itself is `component.ImageExampleGen`.
"""
