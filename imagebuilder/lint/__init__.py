"""Say offline what is wrong with component documents, beyond what AWSTOE would refuse."""

from imagebuilder.lint.events import lint_event
from imagebuilder.lint.linter import Lint, files, lint, lint_file
from imagebuilder.lint.table import CHECKS, Check

__all__ = ["CHECKS", "Check", "Lint", "files", "lint", "lint_event", "lint_file"]
