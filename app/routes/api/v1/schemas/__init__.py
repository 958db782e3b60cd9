"""What REST requests and answers look like, by subject."""
