"""Names of the files that the portal adds to a revision's folder."""

from collections.abc import Collection

#: Lists and documents in the folder of a link. Signatures ignore these names. If the revision has
#: a file of the same name, the portal's file gets another one.
PORTAL_FILES = (
    *("download.sh", "manifest.json", "model.sig", "SHA256SUMS", "md5sums.txt"),
    *("aria2.txt", "metalink.xml", "curl.txt", "LICENCE.md", "NOTICE.txt"),
)


def portal_file_name(name: str, paths: Collection[str]) -> str:
    """The name of a portal file beside files with these paths."""
    return f"weighbridge-{name}" if name in paths else name


def portal_file_names(paths: Collection[str]) -> list[str]:
    """The names of all portal files, except those that a top-level folder of the revision has."""
    tops = {path.partition("/")[0] for path in paths}
    names = [portal_file_name(name, paths) for name in PORTAL_FILES]
    return [name for name in names if name not in tops]
