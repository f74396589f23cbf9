"""End what outlived its time."""
