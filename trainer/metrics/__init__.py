"""Figures of models beside the ELBO: what codes say, how like rebuilt pictures are, how near generated ones come to real ones."""
