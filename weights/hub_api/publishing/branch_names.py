"""The branch in the URL of a write route."""

from weights.catalogue import names
from weights.publishing.queries import DEFAULT_BRANCH


def branch_name(revision: str) -> str:
    """The branch for `main`, `HEAD` or `refs/heads/main`. Raises InvalidName, also for a commit."""
    if revision == "HEAD":
        return DEFAULT_BRANCH
    branch = revision.removeprefix("refs/heads/")
    names.check_ref(branch)
    return branch
