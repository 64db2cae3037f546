"""The work folder: its layout, its lock, and a run's temporary files."""
