"""Symptoms and knowledge to ranked suspects. Explaining-away lives here and nowhere else."""
