"""Input templates: metadata, fields, conditions, and typed values from a user's answers."""
