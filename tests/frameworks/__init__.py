"""Training by the engines of libraries: the real ones, on small data."""
