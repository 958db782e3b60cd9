"""The service's own surroundings: what can be wrong with them, and a new master key."""
