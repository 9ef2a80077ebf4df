"""Each process of the suite uses a copy of a database that is migrated once."""

import fcntl
import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.db import connection


def use_a_copy(name: str) -> None:
    """Connect this process to its own copy of the migrated database."""
    creation = connection.creation
    with (Path(os.environ["TEST_FOLDER"]) / "migrated").open("a+") as note:
        fcntl.flock(note, fcntl.LOCK_EX)  # PostgreSQL copies only a database without connections
        note.seek(0)
        if migrated := note.read():
            connection.settings_dict["NAME"] = migrated
        else:
            note.write(creation.create_test_db(verbosity=0, autoclobber=True, serialize=False))
            connection.close()
        creation.clone_test_db(name, verbosity=0)
    connection.settings_dict["NAME"] = creation.get_test_db_clone_settings(name)["NAME"]
    connection.close()


def drop_all(url: str) -> None:
    """Drop the suite's databases on a server that it did not start."""
    made = f"test_{urlsplit(url).path.strip('/')}"
    with psycopg.connect(url, autocommit=True) as server:
        found = server.execute(
            "SELECT quote_ident(datname) FROM pg_database WHERE datname = %s"
            " OR starts_with(datname, %s)",
            [made, f"{made}_"],
        )
        for (name,) in found.fetchall():
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
