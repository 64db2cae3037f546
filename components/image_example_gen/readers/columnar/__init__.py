"""Read columnar files, Parquet and Arrow, as Hugging Face stores data sets of pictures."""
