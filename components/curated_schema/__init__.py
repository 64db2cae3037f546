"""The curated schema as an artifact, for clusters, where the user's folders are out of reach."""
