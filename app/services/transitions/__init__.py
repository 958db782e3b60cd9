"""Where states change: of jobs, of runs with their steps and tasks, of batches with their items. Nobody else writes a state."""
