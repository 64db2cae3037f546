"""A command for each figure that the documentation states; see README.md."""
