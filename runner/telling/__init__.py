"""Tell those who watch: hooks, log lines, figures, a live log."""
