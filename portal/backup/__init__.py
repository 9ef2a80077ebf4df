"""Backups of the whole portal, and the drill that proves one.

`taking.py` makes one, `drill.py` restores it into a scratch place and has it checked. The
database is dumped by its own tools (`sqlite.py`, `postgres.py`), blobs are copied into a store
beside it, keys into files that their owner alone reads. `layout.py` says what lies where.
"""
