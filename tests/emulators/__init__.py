"""Stand-ins for cloud stores that run on this machine, started and stopped by the tests."""
