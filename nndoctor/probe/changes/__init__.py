"""Interventions: one change of the run, at a point where it is watched. Each knows where it takes hold, none knows why."""
