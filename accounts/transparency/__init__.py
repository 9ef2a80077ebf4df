"""Public statistics of applications and grants: outcomes, reasons, times, the open queue.

`counting` queries the database, `suppression` hides small counts, `tables` combines both.
"""

from accounts.transparency.tables import SOURCES, TABLES, as_csv, published, renew

__all__ = ["SOURCES", "TABLES", "as_csv", "published", "renew"]
