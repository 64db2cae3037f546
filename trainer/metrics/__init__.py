"""Figures of models beside the ELBO: what the code says, how near rebuilt pictures are, how near generated ones lie to real ones."""
