"""Moving bytes and running commands, here or over SSH. Knows nothing of jobs."""
