"""Reading what CRYSTAL writes while it runs: line kinds, sections that understand them, one schema of results."""
