"""Symptoms, on recordings built by hand: nothing trains."""
