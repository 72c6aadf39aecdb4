"""Where tasks run: on this machine, or on others by dask.distributed. The features know only ``task``."""
