"""What each worker type needs of its own: an environment here, or what to launch on EC2."""
