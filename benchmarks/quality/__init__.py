"""Compare the models of the presets with published results: a row for each data set and protocol."""
