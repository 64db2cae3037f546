"""Files of columns: Parquet and Arrow, as Hugging Face writes sets of pictures."""
