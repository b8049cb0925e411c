"""Loops of every kind that real training code has, judged."""
