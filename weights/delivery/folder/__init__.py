"""The folder of a checkpoint link: its files, and lists of them for people and downloaders.

Every list is made from the manifest on request, with the address of the request, so that the
token is stored nowhere.
"""

from weights.delivery.folder.contents import Entry, Folder, folder_of
from weights.delivery.folder.lists import ListKind, offered

__all__ = ["Entry", "Folder", "ListKind", "folder_of", "offered"]
