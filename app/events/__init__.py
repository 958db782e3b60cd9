"""What happened, told to open pages: event types, the outbox table, the broker that fans out."""
