"""The form of a new job, and the sheet beside it."""
