"""What each worker type needs of its own: an environment here, what to launch on EC2, a class of the organiser's."""

from runner.workers.base import BaseWorker

__all__ = ["BaseWorker"]
