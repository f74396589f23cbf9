"""Score predictions on this machine, where the labels are, by an event's kit in a process of its own."""
