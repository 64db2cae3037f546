"""From tensors to a judged decoder: preprocessing graph, networks, likelihoods, loss, training loop, export."""
