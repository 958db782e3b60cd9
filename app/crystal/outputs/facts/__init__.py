"""The parts of the results, by subject: what each value is and in which unit."""
