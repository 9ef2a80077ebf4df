"""The display format of byte counts in pages, mails and the admin."""


def format_size(count: int | None) -> str:
    """Format `count` bytes as `349.2 GB (325.2 GiB)`, below 1 kB as `12 bytes`; empty for None."""
    if count is None:
        return ""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    for power, letter in ((4, "T"), (3, "G"), (2, "M")):
        if count >= 1000**power:
            decimal, binary = count / 1000**power, count / 1024**power
            return f"{decimal:,.1f} {letter}B ({binary:,.1f} {letter}iB)"
    return f"{count / 1000:,.1f} kB ({count / 1024:,.1f} KiB)"
