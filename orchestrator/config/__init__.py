"""The pipeline file: its schema, how it is read, and what the command line changes in it."""
