"""Convert the read items to examples: decode, measure, count and write."""
