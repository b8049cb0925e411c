"""Tests of the readers of logs."""
