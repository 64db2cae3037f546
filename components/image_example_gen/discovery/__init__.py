"""Find the files to read, their labels and splits, without decoding any picture."""
