"""Servers and accounts of this machine: SLURM, sshd, PostgreSQL, started by the tests themselves."""
