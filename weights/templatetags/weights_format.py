"""Sizes, counts and states as pages show them."""

from urllib.parse import quote

from django import template
from django.urls import reverse

from accounts.web.byte_sizes import format_size
from weights.catalogue.models import Checkpoint
from weights.storage.models import Blob
from weights.web.charts import short

register = template.Library()


register.filter("size", format_size)


@register.filter
def short_size(count: int) -> str:
    """Bytes in decimal units alone, for tables: `349.2 GB`."""
    return format_size(count).partition(" (")[0]


@register.filter
def count(number: int | None) -> str:
    """A large count in words: `174.6 billion`; empty for none."""
    return "" if number is None else short(number)


@register.filter
def state_kind(state: str) -> str:
    """Which badge a blob's state has."""
    if state == Blob.State.VERIFIED:
        return "verified"
    return "refused" if state == Blob.State.QUARANTINED else "waiting"


@register.filter
def binary_size(count: int) -> str:
    """Bytes in binary units alone: `325.2 GiB`; below 1 kB the words `in all`."""
    return format_size(count).partition(" (")[2].removesuffix(")") or "in all"


@register.filter
def grouped(number: int) -> str:
    """Digits in groups of three: `349,208,936,448`."""
    return f"{number:,}"


@register.filter
def below(path: str, start: int) -> str:
    """A path without the folder that the page is about, whose length is `start`."""
    return path[start:]


@register.filter
def checkpoint_address(repo_id: str) -> str:
    """The page of the checkpoint `ORG/NAME`."""
    return reverse("weights:checkpoint-detail", args=repo_id.split("/"))


@register.simple_tag
def file_address(checkpoint: Checkpoint, written: str, path: str) -> str:
    """The page of one file; `written` is the revision as the reader named it."""
    return _address(checkpoint, "blob", written, path)


@register.simple_tag
def folder_address(checkpoint: Checkpoint, written: str, path: str) -> str:
    return _address(checkpoint, "tree", written, path)


@register.simple_tag
def download_address(checkpoint: Checkpoint, written: str, path: str) -> str:
    return _address(checkpoint, "resolve", written, path)


def _address(checkpoint: Checkpoint, kind: str, written: str, path: str) -> str:
    page = checkpoint.get_absolute_url()
    return f"{page}/{kind}/{quote(written, safe='')}/{quote(path)}"
