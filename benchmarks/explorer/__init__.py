"""Time from a move of the pointer to the picture, in the explorer."""
