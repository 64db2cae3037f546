"""Measure the speed of reading pictures, and how time and memory grow with their number."""
