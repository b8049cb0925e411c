"""Tests import each other's samples by `tests.`."""
