"""The records of catalogue."""

from weights.catalogue.models.checkpoint import Checkpoint
from weights.catalogue.models.family import Family
from weights.catalogue.models.file_facts import FileFacts
from weights.catalogue.models.known_issue import KnownIssue

__all__ = ["Checkpoint", "Family", "FileFacts", "KnownIssue"]
