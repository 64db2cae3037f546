"""Listing and opening files wherever they are: this machine, cloud stores, the web, members of archives."""
