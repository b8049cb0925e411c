"""The recording and its saved form."""
