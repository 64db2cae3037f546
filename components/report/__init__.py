"""The report: one self-contained page on a run, its pictures, its figures and its verdict."""
