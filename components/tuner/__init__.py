"""TFX's Tuner, with a record of each trial."""
