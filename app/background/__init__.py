"""When things happen: APScheduler's cadence and the leader lock. No logic of its own."""
