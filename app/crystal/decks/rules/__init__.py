"""Rules between the records of a deck, by its blocks: what an experienced user would object to."""
