"""Build, train and export the model: pixel graph, networks, likelihoods, loss, training loop, signatures."""
