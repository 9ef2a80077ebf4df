"""What can keep the install from starting, as sentences: the cause, then the remedy."""


class QuickstartError(Exception):
    """The install cannot be started, or cannot be kept running."""
