"""Backup of a whole portal, the drill that proves a backup, and the restore.

`create.py` makes a backup, `drill.py` restores it into a scratch place and checks it, `restore.py`
restores it into an empty install. `layout.py` defines the files, `keys.py` handles the keys;
`portal.databases` dumps and restores the database.
"""
