"""TFX's Evaluator, with progress reports."""
