"""The order of the stages: one job, one run, and their records."""
