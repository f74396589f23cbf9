"""The folds of one submission, trained side by side by several jobs."""
