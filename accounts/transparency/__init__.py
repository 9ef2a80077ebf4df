"""Public numbers of the gate: how many asked, what became of it, how long it took, and why not.

`counting` asks the database, `suppression` hides what is small, `publication` puts it together.
"""

from accounts.transparency.publication import SOURCES, TABLES, as_csv, published

__all__ = ["SOURCES", "TABLES", "as_csv", "published"]
