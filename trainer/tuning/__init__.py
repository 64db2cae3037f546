"""The search for hyperparameters: what may be tried, how trials are compared, and the Tuner component's module."""
