"""Measure the review queue's page: two thousand applications against twenty.

Run from the project's folder: `.venv/bin/python bench/review_queue.py`, with `--postgres` on a
PostgreSQL of this run's own. Two databases are filled; a process for each opens the page
through the whole stack of middleware, in turn for five rounds, as a signed-in reviewer, and
searches it. A line before each case tells the number of queries.
"""

import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from support import install, report, sizes
from support.report import Round
from support.sizes import Sides

ROUNDS = 5
PAGES = 12  # a side and round
SMALL, LARGE = 20, 2000
CASES = {"queue": {}, "queue, searched": {"q": "outlier"}, "queue, overdue": {"desk": "overdue"}}

CLIENT: Any = None


def main(arguments: list[str]) -> None:
    with sizes.filled(fill, SMALL, LARGE, arguments) as sides:
        for case, query in CASES.items():
            compare(f"{case}, {sides.vendor}", query, sides)


def compare(label: str, query: dict[str, str], sides: Sides) -> None:
    counts = [pool.apply(queries, (query,)) for pool in (sides.many, sides.few)]
    print(f"{label}: {counts[0]} queries with {LARGE:,}, {counts[1]} with {SMALL}")
    many, few = sides.rounds(ROUNDS, opened, query)
    report.line(
        f"{label}, {LARGE:,} applications",
        "ms a page",
        many,
        f"{SMALL} applications",
        few,
        cpu_unit="page",
        peak=sides.peak(),
        smaller_is_better=True,
    )


# -- what happens in each side's process ---------------------------------------------------


def fill(folder: Path, environment: dict[str, str], count: int) -> str:
    """A database with `count` applications, and a reviewer signed in; its vendor."""
    global CLIENT
    # The session is read from the database: no cache listens.
    install.prepare(folder, ALLOWED_HOSTS="testserver,127.0.0.1", **environment)
    from django.db import connection
    from django.test import Client

    from accounts.roles.models import RoleAssignment
    from accounts.roles.permissions import Role
    from accounts.tiers.models import Licence, Tier
    from accounts.users.models import User

    terms = Licence.objects.create(slug="bench", title="Bench")
    version = terms.versions.create(version="1", text="Terms of a benchmark.")
    tier = Tier.objects.create(slug="bench-reviewed", name="Bench", licence=terms)
    reviewer = User.objects.create(username="reviewer", email="reviewer@lab.example")
    RoleAssignment.objects.assign(reviewer, Role.REVIEWER)
    crowd(tier, version, reviewer, count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    CLIENT = Client()
    CLIENT.force_login(User.objects.get(pk=reviewer.pk))
    opened({})
    return connection.vendor


def crowd(tier: Any, version: Any, reviewer: Any, count: int) -> None:
    """Applications of as many people: every fifth on the reviewer's desk, some overdue."""
    from django.utils import timezone

    from accounts.applications.models import Application, ApplicationSnapshot
    from accounts.applications.models.form import FormVersion
    from accounts.users.models import User

    form = FormVersion.objects.create(tier=tier, number=1)
    people = User.objects.bulk_create(
        User(username=f"person{number}", email=f"person{number}@uni.example")
        for number in range(count)
    )
    now = timezone.now()
    made = Application.objects.bulk_create(
        Application(
            applicant=person,
            tier=tier,
            form=form,
            status="submitted" if number % 5 else "in_review",
            claimed_by=None if number % 5 else reviewer,
            answers=answers(number),
            submitted_at=now - timedelta(minutes=5 * number),
            due_on=(now + timedelta(days=5 - number % 10)).date(),
        )
        for number, person in enumerate(people)
    )
    ApplicationSnapshot.objects.bulk_create(
        ApplicationSnapshot(application=one, number=1, answers=one.answers, licence_version=version)
        for one in made
    )


def answers(number: int) -> dict[str, Any]:
    return {
        "full_name": f"Ada Example {number}",
        "work_email": f"person{number}@uni.example",
        "org_name": "University of Example",
        "title": "Outlier features and scale" if number % 50 == 0 else "Memorised text",
        "abstract": "We measure how features grow with the number of parameters. " * 20,
        "storage_plan": "On an encrypted volume, readable by two people. " * 4,
        "commercial": number % 7 == 0,
    }


def page(query: dict[str, str]) -> None:
    from django.urls import reverse

    answer = CLIENT.get(reverse("admin:accounts_application_changelist"), query)
    assert answer.status_code == 200, answer.status_code


def opened(query: dict[str, str]) -> Round:
    """The median milliseconds of a page, and the CPU seconds of one."""
    times, before = [], time.process_time()
    for _ in range(PAGES):
        start = time.perf_counter()
        page(query)
        times.append(1000 * (time.perf_counter() - start))
    return Round(statistics.median(times), (time.process_time() - before) / PAGES)


def queries(query: dict[str, str]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        page(query)
    return len(asked)


if __name__ == "__main__":
    main(sys.argv[1:])
