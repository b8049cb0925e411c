"""Runs the user's script and watches it: the only room that touches torch and user code; it judges nothing."""
