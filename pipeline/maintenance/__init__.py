"""Care of a work folder: garbage collection, backups, recovery, rollback, and room on the disk."""
