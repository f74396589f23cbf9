"""The stages of a run: each turns the previous stage's value into its own."""
