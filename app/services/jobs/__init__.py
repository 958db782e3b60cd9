"""One job as people see and change it, from its creation to its files."""
