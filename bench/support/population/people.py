"""Members with their tokens and grants, and their applications."""

from collections.abc import Iterator

from support.population.expressions import Copies, ago, chance, digest, pick, uuid
from support.population.proportions import DAYS, GRANTS_EACH, LIVE, TIERS, Sizes


def tables(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    yield from _members(base, sizes)
    yield _grants(base, sizes)
    yield from _applications(base, sizes)


def _members(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    people, person = sizes.people, f"{base['User']} + n"
    names = {"username": "'person' || n", "email": "'p' || n || '@uni.example'"}
    names |= {"public_id": uuid("user", person), "date_joined": ago(f"{DAYS} * random()")}
    yield "User", people, names
    yield "EmailAddress", people, {"user_id": person, "email": "'p' || n || '@uni.example'"}
    token = {"user_id": person, "digest": digest("'token' || n"), "public_id": uuid("token", "n")}
    yield "ApiToken", people, token


def _grants(base: dict[str, int], sizes: Sizes) -> Copies:
    of, number = f"((n - 1) / {GRANTS_EACH} + 1)", f"((n - 1) % {GRANTS_EACH})"
    return (
        "Grant",
        sizes.people * GRANTS_EACH,
        {
            "public_id": uuid("grant", "n"),
            "user_id": f"{base['User']} + {of}",
            "tier_id": f"1000 + ({of} + {number}) % {TIERS}",
            "state": f"CASE WHEN {number} < {LIVE} THEN 'active' WHEN {number} = {LIVE}"
            " THEN 'revoked' ELSE 'expired' END",
            "origin": f"CASE WHEN {number} = 0 THEN 'application' ELSE 'click-through' END",
            "application_id": f"CASE WHEN {number} = 0 THEN {base['Application']} + {of} END",
            "reason": "''",
            "starts_at": ago(f"400 + 300 * {chance('n', 1)}"),
            "expires_at": f"now() + interval '1 day' * CASE WHEN {number} < {LIVE} THEN"
            f" 30 + 300 * {chance('n', 2)} ELSE -1 - 300 * {chance('n', 2)} END",
        },
    )


def _applications(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    """An approved application for each person, half as many others, and waiting ones."""
    people, first = sizes.people, base["Application"]
    ended = people + people // 2
    submitted = ago(f"30 + {DAYS} * {chance('n', 4)}")
    status = f"CASE WHEN n <= {people} THEN 'approved' ELSE "
    status += pick(["rejected", "rejected", "withdrawn", "lapsed"], "n", 5) + " END"
    for count, offset, more in (
        (ended, 0, {"status": status, "decided_at": f"{submitted} + interval '9 days'"}),
        (sizes.waiting, ended, _waiting()),
    ):
        yield (
            "Application",
            count,
            {
                "id": f"{first + offset} + n",
                "public_id": uuid("application", f"{offset} + n"),
                "applicant_id": f"{base['User']} + 1 + (n - 1) % {people}",
                "tier_id": f"1000 + ((n - 1) % {people} + 1) % {TIERS}",
                "submitted_at": submitted,
                "answered_at": f"{submitted} + interval '5 days'",
                **more,
            },
        )
    every = ended + sizes.waiting
    yield "ApplicationSnapshot", every, {"application_id": f"{first} + n"}
    yield (
        "Decision",
        ended,
        {
            "application_id": f"{first} + n",
            "snapshot_id": f"{base['ApplicationSnapshot']} + n",
            "verdict": f"CASE WHEN n <= {people} THEN 'approve' ELSE 'reject' END",
        },
    )


def _waiting() -> dict[str, str]:
    return {
        "status": pick(["submitted", "submitted", "submitted", "in_review"], "n", 6),
        "submitted_at": ago(f"12 * {chance('n', 7)}"),
        "answered_at": "NULL",
        "due_on": f"(now() + interval '1 day' * (8 - 10 * {chance('n', 7)}))::date",
    }
