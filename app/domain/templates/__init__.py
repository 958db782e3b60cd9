"""Input templates: metadata, fields, conditions, and typed values from what somebody answered."""
