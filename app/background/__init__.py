"""When things happen: pace, rest and waking of periodic work, and the leader lock. No logic of its own."""
