"""An install in a temporary folder, filled in this process by normal publishing."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def prepare(folder: Path, **environment: str) -> None:
    """Point Django at an empty install below `folder` and create its tables.

    A `DATABASE_URL` in `environment` names another database; blobs stay in `folder`.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings.embedded",
        "DATA_DIR": str(folder / "install"),
        "LOG_LEVEL": "ERROR",
        # Nothing listens there, because benchmarks of serving queue no tasks.
        "BROKER_URL": "redis://127.0.0.1:1/0",
        "CACHE_URL": "redis://127.0.0.1:1/1",
        # A benchmark sends more requests per second than the limits allow in minutes.
        "RATE_LIMITS": "off",
        **environment,
    }
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def program(environment: str, name: str, *packages: str) -> Path | str:
    """The path of a program from PyPI's `packages`, or why they cannot be installed.

    Installs them once, into the folder `environment` of the project.
    """
    folder = ROOT / environment
    if (folder / "bin" / name).exists():
        return folder / "bin" / name
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "install", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{packages[0]} cannot be installed: {done.stderr.strip().splitlines()[-1]}"
    return folder / "bin" / name


def many_files(folder: Path, count: int) -> Path:
    """A folder of `count` small shards with names like those of OPT-175B."""
    folder.mkdir()
    for number in range(count):
        name = f"checkpoint_last-model_part-{number % 8}-shard{number // 8}.pt"
        (folder / name).write_bytes(b"0")
    return folder


def publish(source: Path, repo_id: str, mode: str = "open") -> str:
    """Publish and verify a folder in a tier of access mode `mode`; return the revision's id."""
    from accounts.tiers.models import Licence, Tier
    from weights.integrity.verification import verify
    from weights.publishing import intake
    from weights.storage.models import Blob

    terms, created = Licence.objects.get_or_create(slug=f"bench-{mode}", defaults={"title": mode})
    if created:
        terms.versions.create(version="1", text="Terms of a benchmark.")
    slug = f"bench-{mode}"
    Tier.objects.get_or_create(slug=slug, defaults={"name": slug, "mode": mode, "licence": terms})
    revision = intake.publish(source, repo_id, tier=slug)
    for blob_id in Blob.objects.unverified().values_list("pk", flat=True):
        verify(blob_id)
    return revision.sha


def tokens_with_access(count: int) -> list[str]:
    """API tokens of `count` people with a grant for the reviewed tier."""
    from allauth.account.models import EmailAddress
    from django.utils import timezone

    from accounts.api_tokens.models import ApiToken
    from accounts.grants import lifecycle
    from accounts.grants.models import Grant
    from accounts.tiers.models import Tier
    from accounts.users.models import User

    tier = Tier.objects.get(slug="bench-reviewed")
    version = tier.licence.in_force()
    assert version is not None
    tokens = []
    for number in range(count):
        address = f"p{number}@example.org"
        user = User.objects.create(username=f"p{number}", email=address)
        EmailAddress.objects.create(user=user, email=address, primary=True, verified=True)
        lifecycle.create(
            user,
            tier,
            licence_version=version,
            until=timezone.now() + timedelta(days=30),
            origin=Grant.Origin.BREAK_GLASS,
            by=None,
            reason="benchmark",
        )
        tokens.append(ApiToken.objects.mint(user, name="bench", scopes=["read-gated"])[1])
    return tokens


def close() -> None:
    """Close the database connections, so that the server can stop."""
    from django.db import connections

    with suppress(Exception):
        connections.close_all()
