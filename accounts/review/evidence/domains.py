"""Which organisation a mail address or a web address belongs to: plain Python, no network."""

from functools import lru_cache
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

#: Sites on which anyone may have a page: they say nothing of an organisation.
ANYBODYS = frozenset(
    {
        *("orcid.org", "github.com", "github.io", "gitlab.com", "gitlab.io", "huggingface.co"),
        *("linkedin.com", "researchgate.net", "academia.edu", "google.com", "semanticscholar.org"),
        *("dblp.org", "arxiv.org", "openreview.net", "medium.com", "wordpress.com", "twitter.com"),
        *("x.com", "facebook.com", "bsky.app", "mastodon.social", "notion.site", "wixsite.com"),
        *("wikipedia.org", "wikidata.org", "blogspot.com", "substack.com", "kaggle.com"),
    }
)


def of_address(address: str) -> str:
    """`ox.ac.uk` for `ada@cs.ox.ac.uk`; empty for what is no address."""
    return registered(address.rpartition("@")[2]) if "@" in address else ""


def of_site(url: str) -> str:
    """`ox.ac.uk` for `https://www.cs.ox.ac.uk/~ada`; empty where anybody may have a page."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    found = registered(host)
    return "" if not found or found in ANYBODYS or _host_of_many(host) else found


def registered(host: str) -> str:
    """The name that somebody registered, by the public suffix list; empty if there is none."""
    try:
        ascii_host = host.strip().rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        return ""
    return str(_suffixes().privatesuffix(ascii_host) or "")


def _host_of_many(host: str) -> bool:
    """Whether the host lies below one of `ANYBODYS`, such as `ada.github.io`."""
    return any(host.endswith(f".{site}") for site in ANYBODYS)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """The list shipped with the library: nothing is fetched."""
    return PublicSuffixList()
