"""What is known of CRYSTAL: structures, decks, outputs. Pure functions, no I/O."""
