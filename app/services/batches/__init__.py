"""Many jobs at once: tables, sweeps, studies."""
