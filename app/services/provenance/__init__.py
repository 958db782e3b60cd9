"""Where a result comes from, and how to pass it on."""
