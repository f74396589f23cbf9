"""Values that cross package borders: they import nothing of ours."""
