"""Data sets, the inspection of pictures, and their schema."""
