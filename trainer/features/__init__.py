"""Features of pictures, learned from the pictures without labels."""
