"""Drive one build of an image pipeline: whether it is needed, its progress, its log, why it failed."""
