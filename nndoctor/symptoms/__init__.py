"""Recording to named, measured facts. Pure functions, numpy only; they do not know any cause."""
