"""The folder of a checkpoint link: its files, and lists of them for people and download tools.

Every list is generated on request with the URL of the request, so that the token is never
stored.
"""

from weights.delivery.folder.contents import Entry, Folder, folder_of
from weights.delivery.folder.lists import ListKind, offered

__all__ = ["Entry", "Folder", "ListKind", "folder_of", "offered"]
