"""What only the leader does: whose turn it is, submit once, poll, finish."""
