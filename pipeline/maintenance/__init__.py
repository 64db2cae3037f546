"""Maintenance of a work folder: garbage collection, backups, recovery, rollback, and checks of disk space."""
