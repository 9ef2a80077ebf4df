"""Errors of starting, backing up and moving an install; each message names a remedy."""


class QuickstartError(Exception):
    """The embedded install cannot be started or kept running."""


class BackupError(Exception):
    """A backup cannot be created, read or restored."""


class MoveError(Exception):
    """The database cannot be moved, or its copy differs."""
