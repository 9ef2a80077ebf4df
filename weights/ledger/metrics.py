"""Counts downloads for `/metrics` when their ledger row is written."""

from prometheus_client import Counter

DOWNLOADS = Counter(
    "weighbridge_downloads", "Responses with bytes, or a redirect to them.", ["outcome"]
)
BYTES = Counter(
    "weighbridge_download_bytes",
    "Bytes that these responses entitle their callers to; a client may read fewer.",
    ["outcome"],
)
