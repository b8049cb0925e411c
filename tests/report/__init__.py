"""Reports, on diagnoses made by hand."""
