"""Build the URLs of every route, with the parameters of a gated checkpoint."""

import re
import uuid
from collections.abc import Iterator

from accounts.applications.models import Application
from accounts.mail.models import OutgoingMail
from tests.support.http.callers import PATH, Person, World, file_query
from tests.support.http.routes import Route, one_spelling


def parameters(world: World, caller: Person) -> dict[str, list[str]]:
    """Values for each route parameter, all of the gated checkpoint and the caller."""
    sha = world.revision.sha
    application = caller.user.applications.first() if caller.user else None
    token = caller.user and caller.user.tokens.first()
    mine = [application, token, caller.checkpoint_link, caller.grant]
    record = [str(world.revision.pk), str(world.file.pk), str(caller.user and caller.user.pk)]
    return {
        "org": ["acme"],
        "name": ["weights"],
        "kind": ["datasets"],
        "revision": ["main", sha],
        "sha": [sha],
        "sha256": [world.file.sha256],
        "code": ["quota"],
        "key_id": ["0123456789abcdef"],
        "standing": ["pending", "accepted", "rejected"],
        "rest": [
            f"main/{PATH}",
            f"{sha}/{PATH}",
            f"refs%2Fheads%2Fmain/{PATH}",
            "main",
            "main/config.json",
        ],
        "path": [PATH, "config.json", "manifest.json", "download.sh"],
        "token": [caller.link],
        "tier_id": [str(world.tier.pk)],
        "object_id": record,
        "id": record,
        "application_id": [str(application.pk if application else 1)],
        "content_type_id": ["1"],
        "public_id": [str(one.public_id) for one in mine if one] or [str(uuid.uuid4())],
        "mail_id": _mails_about(application) or [str(uuid.uuid4())],
        "slug": [world.tier.slug, world.tier.accepted_licence.slug],
        "version": ["1"],
        "tag": ["latest", "Q4_K_M"],
        "action": ["approve"],
        "step": ["you", "terms"],
        "question": ["extra_document"],
        "number": ["1"],
        **{"log": ["event", "download"], "row_id": record, "size": ["1"]},
        "which": ["events", "downloads"],
        "table": ["applications", "grants"],
        "app_label": ["weights"],
        "url": ["weights/"],
        "key": ["abc"],
        "form": ["bib"],
        **{"endpoint": ["0" * 16], "digest": ["0" * 64], "grant": ["0" * 32]},
        "uidb36": ["1"],
        "pk": record,
    }


def _mails_about(application: Application | None) -> list[str]:
    about = str(application.public_id) if application else ""
    mails = OutgoingMail.objects.filter(object_kind="application", object_id=about)
    return [str(mail.public_id) for mail in mails]


def addresses(route: Route, world: World, caller: Person) -> Iterator[str]:
    """The URLs of a route, with each value of each parameter used at least once."""
    if caller.name not in world.parameters:  # cached, since every request is rolled back
        world.parameters[caller.name] = parameters(world, caller)
    values_of = world.parameters[caller.name]
    names = re.findall(r"<(\w+)>", route.address)
    unknown = set(names) - set(values_of)
    assert not unknown, f"{route}: add values for {unknown} to parameters()"
    for turn in range(max([len(values_of[name]) for name in names], default=1)):
        filled = one_spelling(route.address)
        for name in names:
            values = values_of[name]
            filled = filled.replace(f"<{name}>", values[turn % len(values)])
        yield filled + (f"?{file_query(world, caller)}" if route.name.endswith("file-link") else "")
