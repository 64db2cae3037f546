"""Measure the quality of generated and reconstructed pictures, in comparison with held-out ones."""
