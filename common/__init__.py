"""What all packages share: errors, progress, lines of text, atomic writes and names of features. Imports none of them."""
