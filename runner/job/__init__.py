"""Hold what runs on the host: plain files of the standard library, pushed with each submission."""
