"""A command for each measurement in the documentation; see README.md."""
