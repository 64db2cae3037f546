"""The sources of the report's data: each module reads one artifact into plain values."""
