"""Which findings count in this project: what its source lines, comments and baseline say. Knows no format of a report."""
