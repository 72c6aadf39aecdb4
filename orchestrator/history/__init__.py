"""Every run in a database: what was seen, on what, and how that differs from the nights before."""
