"""Chains of jobs: saved workflows, their runs, and what happens between steps."""
