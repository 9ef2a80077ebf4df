"""Whole databases, SQLite and PostgreSQL: dump, restore, inspect and check them.

Shared by `portal.backup` and `portal.database_move`.
"""
