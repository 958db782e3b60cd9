"""Workflows: definitions, the language in them, what passes between steps, and what a run does next."""
