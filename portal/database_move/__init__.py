"""Move the portal's rows to another database, SQLite or PostgreSQL (docs/operating.md)."""
