"""Ingestion: convert a folder of pictures to splits of tf.Examples.

`config` and `discovery.find` need neither TensorFlow nor TFX, so that a command line can check its arguments at once. The
component is `component.ImageExampleGen`.
"""
