"""Archives of files that nobody here has seen before, examined one by one."""
