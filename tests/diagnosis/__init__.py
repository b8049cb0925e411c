"""Ranking and diagnosis, on recordings and causes made by hand."""
