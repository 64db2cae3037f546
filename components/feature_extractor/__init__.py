"""The feature space for comparing sets of pictures: the same for all models on the same pictures."""
