"""Measure the review queue's page: two thousand applications against twenty.

Run from the project's folder: `.venv/bin/python bench/review_queue.py [--postgres]`. Two databases
are filled: SQLite, or with `--postgres` a PostgreSQL server each. For each database, a process
opens the page as a signed-in reviewer through all middleware, in turn for five rounds, and
searches it. A line before each case gives the number of queries.
"""

import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from support import install, pages, report, sizes
from support.report import Round
from support.sizes import Sides
from support.usage import show_help

ROUNDS = 5
PAGES = 12  # per side and round
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
    many, few = sides.rounds(ROUNDS, timed_page, query)
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
    """Create `count` applications and sign a reviewer in; return the database's vendor."""
    global CLIENT
    # Sessions are in the database, since no cache server runs.
    install.prepare(folder, ALLOWED_HOSTS="testserver,127.0.0.1", **environment)
    from django.db import connection

    from accounts.roles.models import RoleAssignment
    from accounts.roles.permissions import Role
    from accounts.tiers.models import Licence, Tier
    from accounts.users.models import User

    terms = Licence.objects.create(slug="bench", title="Bench")
    version = terms.versions.create(version="1", text="Terms of a benchmark.")
    tier = Tier.objects.create(slug="bench-reviewed", name="Bench", licence=terms)
    reviewer = User.objects.create(username="reviewer", email="reviewer@lab.example")
    RoleAssignment.objects.assign(reviewer, Role.REVIEWER)
    create_applications(tier, version, reviewer, count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    CLIENT = pages.signed_in(User.objects.get(pk=reviewer.pk))
    timed_page({})
    return connection.vendor


def create_applications(tier: Any, version: Any, reviewer: Any, count: int) -> None:
    """Create `count` applications: every fifth claimed by the reviewer, some overdue."""
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


def timed_page(query: dict[str, str]) -> Round:
    """Return the median milliseconds and the mean CPU seconds per page."""
    times, before = [], time.process_time()
    for _ in range(PAGES):
        start = time.perf_counter()
        page(query)
        times.append(1000 * (time.perf_counter() - start))
    return Round(statistics.median(times), (time.process_time() - before) / PAGES)


def queries(query: dict[str, str]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        page(query)
    return len(captured)


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:])
