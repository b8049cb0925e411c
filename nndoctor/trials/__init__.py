"""One change to the run, the same probe again, and a comparison. Knows which changes answer which causes, and no formats."""
