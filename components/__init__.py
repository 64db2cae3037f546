"""The pipeline's own TFX components, one package each."""
