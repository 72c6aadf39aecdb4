"""This machine: processes, the cache, and what is installed."""
