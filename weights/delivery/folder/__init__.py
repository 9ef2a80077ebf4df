"""What a checkpoint link's folder holds besides the files: lists for people and downloaders.

Every list is made from the manifest when it is asked for, with the address it was asked by,
so a renewed link gives renewed lists and the token stays stored nowhere.
"""

from weights.delivery.folder.contents import Entry, Folder, folder_of
from weights.delivery.folder.lists import ListKind, offered

__all__ = ["Entry", "Folder", "ListKind", "folder_of", "offered"]
