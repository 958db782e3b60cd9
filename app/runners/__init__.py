"""What a batch system means, on any transport: directives, submission, states, cancelling."""
