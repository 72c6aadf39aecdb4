"""Which commit, patch or version brings a symptom: the walk of git bisect, and a job for each step."""
