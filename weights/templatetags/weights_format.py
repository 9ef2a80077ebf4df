"""Template filters and tags for sizes, counts, states and URLs of checkpoints."""

from urllib.parse import quote

from django import template
from django.urls import reverse

from accounts.web.byte_sizes import format_size
from weights.catalogue.models import Checkpoint
from weights.storage.models import Blob
from weights.web.charts import count_in_words

register = template.Library()


register.filter("size", format_size)


@register.filter
def short_size(size: int) -> str:
    """Bytes in decimal units only, for tables: `349.2 GB`."""
    return format_size(size).partition(" (")[0]


@register.filter
def binary_size(size: int) -> str:
    """Bytes in binary units only: `325.2 GiB`; `in all` below 1 kB, where none applies."""
    return format_size(size).partition(" (")[2].removesuffix(")") or "in all"


@register.filter
def count(number: int | None) -> str:
    """A large count in words: `174.6 billion`; empty for None."""
    return "" if number is None else count_in_words(number)


@register.filter
def grouped(number: int) -> str:
    """Digits in groups of three: `349,208,936,448`."""
    return f"{number:,}"


@register.filter
def plain_number(number: float) -> str:
    """A number with grouped digits and no trailing zeros: `809,472`, `0.4327`, `1.1`."""
    return f"{number:,.6f}".rstrip("0").rstrip(".")


@register.filter
def state_kind(state: str) -> str:
    """The kind of badge for a blob's state."""
    if state == Blob.State.VERIFIED:
        return "verified"
    return "refused" if state == Blob.State.QUARANTINED else "waiting"


@register.filter
def below(path: str, start: int) -> str:
    """A path relative to the page's folder, whose prefix has `start` characters."""
    return path[start:]


@register.filter
def checkpoint_address(repo_id: str) -> str:
    """The URL of the page of the checkpoint `ORG/NAME`."""
    return reverse("weights:checkpoint-detail", args=repo_id.split("/"))


@register.simple_tag
def file_address(checkpoint: Checkpoint, revision: str, path: str) -> str:
    """The URL of a file's page; `revision` is a branch, a tag or a commit id."""
    return _address(checkpoint, "blob", revision, path)


@register.simple_tag
def folder_address(checkpoint: Checkpoint, revision: str, path: str) -> str:
    return _address(checkpoint, "tree", revision, path)


@register.simple_tag
def download_address(checkpoint: Checkpoint, revision: str, path: str) -> str:
    return _address(checkpoint, "resolve", revision, path)


@register.simple_tag
def history_address(checkpoint: Checkpoint, revision: str) -> str:
    """The URL of the history of a branch, a tag or a commit id."""
    return f"{checkpoint.get_absolute_url()}/commits/{quote(revision, safe='')}"


@register.simple_tag
def compare_address(checkpoint: Checkpoint, before: str, after: str) -> str:
    return f"{checkpoint.get_absolute_url()}/compare/{before}...{after}"


def _address(checkpoint: Checkpoint, kind: str, revision: str, path: str) -> str:
    page = checkpoint.get_absolute_url()
    return f"{page}/{kind}/{quote(revision, safe='')}/{quote(path)}"
