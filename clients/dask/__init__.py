"""The one door to Dask: its client runs in a process of its own, which says nothing but length-prefixed bytes."""
