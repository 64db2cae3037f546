"""The work folder: its layout, its lock, and the temporary files of a run."""
