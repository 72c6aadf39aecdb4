"""The history of runs as a folder of static pages: no server, no script, no network."""
