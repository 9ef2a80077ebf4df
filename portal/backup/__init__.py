"""Back up a whole portal, check a backup, and restore it.

`create.py` makes a backup, `verify.py` reads it, `drill.py` restores it temporarily and
checks it, `restore.py` restores it into an empty install. `layout.py` defines the files,
`signature.py` says which backups are trusted, `copied_heads.py` which are too old, and `keys.py`
handles the keys; `portal.databases` dumps and restores the database.
"""
