"""Where a Dask cluster comes from."""
