"""Pushing a blessed model so that it is complete or absent, never half."""
