"""What the portal itself lays beside a revision's files, and what it is called there."""

from collections.abc import Collection

#: Lists and papers of a link's folder. A signature passes them over, unless the revision has
#: a file of that name: then the portal's own gives way to it.
OFFERED = (
    *("download.sh", "manifest.json", "model.sig", "SHA256SUMS", "md5sums.txt"),
    *("aria2.txt", "metalink.xml", "curl.txt", "LICENCE.md", "NOTICE.txt"),
)


def name_beside(name: str, paths: Collection[str]) -> str:
    """What a list is called beside files with these paths."""
    return f"weighbridge-{name}" if name in paths else name


def names_beside(paths: Collection[str]) -> list[str]:
    """Everything that may stand beside them without being one of them, nor a folder of theirs."""
    tops = {path.partition("/")[0] for path in paths}
    names = [name_beside(name, paths) for name in OFFERED]
    return [name for name in names if name not in tops]
