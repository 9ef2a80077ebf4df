"""Checkpoints whose files tell something, and what the Hub's listing makes of them."""

import json
import struct
from typing import Any

from django.test import Client

from accounts.tiers.models import Tier
from tests.support import factories
from weights.catalogue import contents
from weights.publishing.models import Revision


def card(**lines: Any) -> bytes:
    return b"---\n" + json.dumps(lines).encode() + b"\n---\n# A model\n"


def tensors(**counts: int) -> bytes:
    """A safetensors file with so many parameters of each type; its data left out."""
    header = {dtype: {"dtype": dtype, "shape": [n]} for dtype, n in counts.items()}
    told = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(told)) + told


def publish(name: str, tier: Tier | None = None, **files: bytes) -> Revision:
    """A checkpoint whose telling files were read, as verification leaves it."""
    named = {path.replace("_DOT_", "."): content for path, content in files.items()}
    revision = factories.published(name, tier, named or {"README.md": b"# None\n"})
    contents.note(revision)
    return revision


def ids(client: Client, query: str = "", **headers: str) -> list[str]:
    return [model["id"] for model in models(client, query, **headers)]


def models(client: Client, query: str = "", **headers: str) -> list[dict[str, Any]]:
    response = client.get(f"/api/models{query}", headers=headers)
    assert response.status_code == 200, response.content
    return list(response.json())
