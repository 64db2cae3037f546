"""What the presets' models are worth beside published figures: a row for each data set and protocol."""
