"""The report: one self-contained page about a run, its pictures, its figures and its verdict."""
