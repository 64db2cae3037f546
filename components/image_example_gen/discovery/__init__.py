"""What there is to read: files, their labels and splits, found without decoding any picture."""
