"""Helpers that all packages share: errors, progress, lines of text, atomic writes and feature names. Imports no other package."""
