"""What can keep an install from starting or from being backed up, as sentences with a remedy."""


class QuickstartError(Exception):
    """The install cannot be started, or cannot be kept running."""


class BackupError(Exception):
    """A backup cannot be taken, or cannot be read."""


class MoveError(Exception):
    """The database cannot be moved, or came out differently."""
