"""All queries. Nothing here commits: services own the transactions."""
