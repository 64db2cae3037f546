"""List and open files wherever they are: on this machine, in cloud stores, on the web, in archives."""
