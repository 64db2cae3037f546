"""Image features, learned from the images without labels."""
