"""Values to judgement: of a test, a job, a series."""
