"""Use a pushed model, without TFX and Keras."""
