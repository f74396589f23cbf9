"""What stands in the place of a secret."""

HIDDEN = "***"
