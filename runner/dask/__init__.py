"""Run submissions on a Dask cluster: its scheduler says which worker is free, a job there is one as on any host."""
