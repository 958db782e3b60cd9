"""Engine, tables and repositories: all SQL lives here."""
