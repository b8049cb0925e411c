"""The report as one HTML file: it needs nothing from elsewhere, runs no script but its own, and can be mailed."""
