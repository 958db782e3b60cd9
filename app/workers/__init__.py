"""Worker processes with limits of time and memory, and whose work is next."""
