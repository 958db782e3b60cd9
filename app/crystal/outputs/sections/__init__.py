"""The sections of an output: each takes the lines of its subject and writes what they mean into the results."""
