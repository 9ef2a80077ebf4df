"""Finds the registered domain of a mail address or URL, without network access."""

from functools import lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

#: Sites on which anybody can have a page; they identify no organisation.
PUBLIC_HOSTS = frozenset(
    {
        *("orcid.org", "github.com", "github.io", "gitlab.com", "gitlab.io", "huggingface.co"),
        *("linkedin.com", "researchgate.net", "academia.edu", "google.com", "semanticscholar.org"),
        *("dblp.org", "arxiv.org", "openreview.net", "medium.com", "wordpress.com", "twitter.com"),
        *("x.com", "facebook.com", "bsky.app", "mastodon.social", "notion.site", "wixsite.com"),
        *("wikipedia.org", "wikidata.org", "blogspot.com", "substack.com", "kaggle.com"),
    }
)


def of_address(address: str) -> str:
    """Return `ox.ac.uk` for `ada@cs.ox.ac.uk`; empty for text without `@`."""
    return registered(address.rpartition("@")[2]) if "@" in address else ""


def of_site(url: str) -> str:
    """Return `ox.ac.uk` for `https://cs.ox.ac.uk/~ada`; empty for PUBLIC_HOSTS and bad URLs."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    domain = registered(host)
    return "" if domain in PUBLIC_HOSTS or _is_public_host(host) else domain


def registered(host: str) -> str:
    """Return the registered domain by the public suffix list; empty if there is none."""
    try:
        ascii_host = host.strip().rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        return ""
    return str(_suffixes().privatesuffix(ascii_host) or "")


def _is_public_host(host: str) -> bool:
    """True for hosts below PUBLIC_HOSTS, such as `ada.github.io`."""
    return any(host.endswith(f".{site}") for site in PUBLIC_HOSTS)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """Return the list shipped with the library, without a download."""
    return PublicSuffixList()
