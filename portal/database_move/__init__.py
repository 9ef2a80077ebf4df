"""`move_database`: copy an install to another database, SQLite or PostgreSQL."""
