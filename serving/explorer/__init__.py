"""The explorer: a page that holds the decoder itself, and runs it in the browser."""
