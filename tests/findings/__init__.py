"""Which findings count: source files, comments and baselines."""
