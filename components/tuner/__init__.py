"""TFX's Tuner, which also writes down what came of each trial."""
