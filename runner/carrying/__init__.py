"""What a run needs on its way besides the stages."""
