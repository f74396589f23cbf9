"""Measure the figures this house wants to reach; nothing here is a test, and no time is ever asserted."""
