"""Checkpoints with cards and tensors, and requests to the models list."""

import json
import struct
from typing import Any

from django.test import Client

from accounts.tiers.models import Tier
from tests.support import factories
from weights.catalogue import file_facts
from weights.publishing.models import Revision


def card(**lines: Any) -> bytes:
    return b"---\n" + json.dumps(lines).encode() + b"\n---\n# A model\n"


def tensors(**counts: int) -> bytes:
    """A safetensors header with `counts` parameters by type, without the data."""
    header = {dtype: {"dtype": dtype, "shape": [n]} for dtype, n in counts.items()}
    payload = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(payload)) + payload


def publish(name: str, tier: Tier | None = None, **files: bytes) -> Revision:
    """A published checkpoint whose cards and headers were read, as after verification."""
    named = {path.replace("_DOT_", "."): content for path, content in files.items()}
    revision = factories.published(name, tier, named or {"README.md": b"# None\n"})
    file_facts.read_revision(revision)
    return revision


def ids(client: Client, query: str = "", **headers: str) -> list[str]:
    return [model["id"] for model in models(client, query, **headers)]


def models(client: Client, query: str = "", **headers: str) -> list[dict[str, Any]]:
    response = client.get(f"/api/models{query}", headers=headers)
    assert response.status_code == 200, response.content
    return list(response.json())
