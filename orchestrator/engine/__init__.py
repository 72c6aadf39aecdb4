"""Where tasks run: here, or on other machines by dask.distributed. A feature hands it tasks, and knows no more."""
