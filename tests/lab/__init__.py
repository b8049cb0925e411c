"""The laboratory: healthy training scripts, faults that are put into them, and what the diagnosis makes of both.

`bases` holds the scripts, `operators` the faults, `build` writes, verifies and records every mutant into a cache outside
the repository, and `judge` measures and calibrates on the recordings, split by base task.
"""
