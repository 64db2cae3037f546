"""The command line: `darkroom` and its commands."""
