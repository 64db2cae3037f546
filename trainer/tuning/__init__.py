"""The search for hyperparameters: the search space, the comparison of trials, and the Tuner component's module file."""
