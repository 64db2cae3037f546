"""The feature space that sets of pictures are compared in: the same for every model on the same pictures."""
