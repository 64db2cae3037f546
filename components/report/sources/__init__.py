"""Where the report's data come from: each module reads one artifact into plain values."""
