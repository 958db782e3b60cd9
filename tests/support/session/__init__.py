"""How a run of the tests behaves: what it may skip and open, which tests share a process, what it compared."""
