"""How fast pictures are read, and how time and memory grow with their number."""
