"""Logs that other programs keep of a training: read into numbers by name and step. Knows no judgement and no torch."""
