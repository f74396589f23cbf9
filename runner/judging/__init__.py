"""Say whose fault a failure is, with what becomes of it: pure functions."""
