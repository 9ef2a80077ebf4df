"""Whether a portal is one that only its own machine can reach: plain Python."""

import ipaddress
from urllib.parse import urlsplit


def on_loopback(address: str) -> bool:
    """Whether the address (`scheme://host…`) names this machine alone."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
