"""Figures of models other than the ELBO: the content of codes, the quality of reconstructions, and that of generated images."""
