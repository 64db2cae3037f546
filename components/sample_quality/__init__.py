"""How good generated and rebuilt pictures are, beside held-out ones."""
