"""Where tasks run: on this machine, or on others by dask.distributed. A feature hands it tasks, and knows no more of it."""
