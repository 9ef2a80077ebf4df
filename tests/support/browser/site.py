"""A portal with content on every page, and its readers' cookies."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as portal_settings
from django.test import Client, override_settings
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.workflow import decisions, submission
from accounts.audit.merkle_log import sealer, signed_heads
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.audit.merkle_log import keys
from tests.support import factories
from tests.support.database import emptying
from tests.support.servers import live
from tests.weights.publishing.drafts.making import committed, verify_all
from weights.catalogue import opt_family
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.logbook import loading as logbook
from weights.logbook.models import LogbookEntry
from weights.my_access import sessions as download_sessions
from weights.publishing.drafts import checkpoints as drafts
from weights.publishing.models import Ref, Revision
from weights.recalls.models import Recall
from weights.reports.models import Report
from weights.storage import blob_storage
from weights.storage.models import Blob

SHARDS = {
    f"checkpoint_last-model_part-{part}-shard{shard}.pt": f"{part}.{shard}".encode()
    for part in range(8)
    for shard in range(24)
}
#: An image of one pixel.
PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
CARD = """# A card

![A pixel](pixel.png) ![elsewhere](https://elsewhere.example/a.png) [Down](#the-table)
<img src=x onerror="document.title='run'"><script>document.title = "run"</script>

> [!CAUTION]
> Not for production, where $n > \\frac{1}{2}$.

- [x] trained
- [ ] evaluated[^1]

## The table

| a long name of a column | another one | a third | a fourth | a fifth | a sixth | a seventh |
|---|--:|---|---|---|---|---|
| wordsthatdonotendwordsthatdonotend | 1 | 2 | 3 | 4 | 5 | 6 |

| another |
|---|
| table |

<details><summary>More</summary>

```python
def load(path: str) -> dict[str, int]:
    return {"a": 1}  # a comment
```

$$\\sum_{i=1}^{n} x_i + aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$$
</details>

[^1]: A note.
"""
LONG_TITLE = "A title of three hundred characters in 文字 and العربية, " + "wordsthatdonotend" * 14


@dataclass
class Site:
    """Each reader's session, and the values for the names in the table's URLs."""

    sessions: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    url: str = ""
    #: Pages of the admin for the models, without the portal's origin.
    of_models: list[str] = field(default_factory=list)

    def cookie(self, reader: str) -> dict[str, str]:
        name = portal_settings.SESSION_COOKIE_NAME
        return {"name": name, "value": self.sessions[reader], "url": self.url}

    def address(self, pattern: str) -> str:
        return self.url + pattern.format(**self.values)

    @property
    def form(self) -> list[str]:
        """The pages of the returned application's form."""
        application = "/applications/{returned}/".format(**self.values)
        steps = ("you", "project", "plan", "terms")
        return [*(f"{application}form/{step}/" for step in steps), f"{application}review/"]


def session(user: User) -> str:
    """The key of a new session in which the password was just confirmed."""
    client = Client()
    client.force_login(user)
    client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    return client.cookies[portal_settings.SESSION_COOKIE_NAME].value


@contextmanager
def on_a_portal(folder: Path, make: Callable[[Path], Site]) -> Iterator[Site]:
    """Run a portal with what `make(folder)` puts into this process's database and a store.

    Empties the database at the end.
    """
    blobs = folder / "blobs"
    blobs.mkdir()
    with ExitStack() as undone, override_settings(WEIGHTS_STORAGE=f"file://{blobs}"):
        undone.callback(emptying.empty_the_database)
        blob_storage().create()
        site = make(folder)
        with live.portal(folder, f"file://{blobs}", worker=False, settings={}) as portal:
            site.url = portal.url
            yield site


def make(folder: Path) -> Site:
    """Fill the database and the store; the key that signs the trail's head is in `folder`."""
    opt_family.load()
    logbook.load()
    tier = Tier.objects.get(slug="opt-175b")
    site = Site()
    _make_draft(site)
    sharded = _publish(site, tier)
    _fill_access(site, factories.person("holder"), sharded)
    _fill_applications(site, tier)
    _send_mailed_links(site)
    with override_settings(AUDIT_KEY_FILE=keys.write(folder)):
        sealer.seal()
        signed_heads.sign()
    return site


def _make_draft(site: Site) -> None:
    """A verified draft of a release owner; created first, because it verifies all blobs."""
    owner = factories.staff("owner", Role.RELEASE_OWNER)
    checkpoint, _ = drafts.create_draft("lab", "draft", by=owner)
    site.values["unpublished"] = committed(checkpoint, owner).sha
    verify_all()
    site.sessions["owner"] = session(owner)


def _publish(site: Site, tier: Tier) -> Revision:
    """Publish in both tiers, and add a report, a recall and a logbook entry."""
    opened = Tier.objects.get(slug="open")
    factories.published(f"{'o' * 96}/{'n' * 96}")
    revision = factories.published("acme/open", tier=opened)
    first = factories.published("acme/card", files={"README.md": b"# A card\n"})
    Ref.objects.create(checkpoint=first.checkpoint, kind=Ref.Kind.TAG, name="v1", revision=first)
    files = {"README.md": CARD.encode(), "pixel.png": PIXEL}
    site.values["commit"] = factories.published("acme/card", files=files).sha
    sharded = factories.published("acme/sharded", tier=tier, files=SHARDS, synthetic=True)
    for shard, state in enumerate([Blob.State.QUARANTINED, Blob.State.HASHING]):
        Blob.objects.filter(files__revision=sharded, files__shard=shard).update(state=state)
    report = Report.objects.create(kind="leak", text=LONG_TITLE, checkpoint=revision.checkpoint)
    blob = revision.files.get(path="config.json").blob
    recall = Recall.objects.create(blob=blob, cause=Recall.Cause.CHECK, reason="It had changed.")
    entry = LogbookEntry.objects.first()
    assert entry is not None
    site.values |= {
        "licence": factories.in_force(tier).version,
        "report": str(report.public_id),
        "recall": str(recall.public_id),
        "entry": str(entry.public_id),
    }
    return sharded


def _fill_access(site: Site, holder: User, revision: Revision) -> None:
    """Fill a holder's pages: a grant, links in several states, downloads, tokens."""
    grant = factories.grant(holder, revision.checkpoint.tier)
    for state in CheckpointLink.State.values:
        link = CheckpointLink.objects.create(
            holder=holder,
            grant=grant,
            checkpoint=revision.checkpoint,
            cause=CheckpointLink.Cause.REQUEST,
            state=state,
            expires_at=timezone.now() + timedelta(days=7),
        )
        site.values[f"{state}_link"] = str(link.public_id)
    for outcome in Download.Outcome.values:
        Download.objects.create(
            user_id=holder.pk,
            credential_kind="token",
            repo_id="acme/sharded",
            path=f"folder/{'x' * 200}.pt",
            length=10**9,
            outcome=outcome,
            code="file_quarantined",
        )
    factories.token(holder, "read-gated")
    ApiToken.objects.mint(holder, name="namesthatdonotend" * 4, scopes=["read"])
    TOTP.activate(holder, generate_totp_secret())
    RecoveryCodes.activate(holder)
    key = Authenticator.objects.create(
        user=holder,
        type=Authenticator.Type.WEBAUTHN,
        data={"name": "namesthatdonotend" * 4, "credential": {}},
    )
    rows, *_ = download_sessions.shown(list(download_sessions.sessions_of(holder)))
    site.values |= {
        "grant": str(grant.public_id),
        "key": str(key.pk),
        "folder": factories.link_token(holder, revision, grant),
        "downloads": rows.query,
    }
    site.sessions["holder"] = session(holder)


def _fill_applications(site: Site, tier: Tier) -> None:
    """A draft, a returned and a rejected application, each of an applicant with that name."""
    tier.questions.create(key="ethics", label="Ethics approval", kind="file")
    reviewer = factories.staff("reviewer", Role.REVIEWER)
    draft = submission.start(factories.person("draft"), tier)
    returned = factories.submitted(
        factories.person("returned"), tier, {"title": LONG_TITLE, "org_name": "大学"}
    )
    decisions.return_for_changes(
        returned,
        by=reviewer,
        reasons=["incomplete"],
        note="Say more. " * 40,
        remarks={"abstract": "Which method?"},
    )
    rejected = factories.submitted(factories.person("rejected"), tier)
    decisions.reject(rejected, by=reviewer, reasons=["purpose_unclear"], note="Say how. " * 40)
    for one in (draft, returned, rejected):
        name = one.applicant.username
        site.values[name] = str(one.public_id)
        site.sessions[name] = session(one.applicant)


def _send_mailed_links(site: Site) -> None:
    """The links in two of allauth's mails: to confirm an address and to reset a password."""
    person = factories.person("newcomer", confirmed=False)
    site.values["confirmation"] = EmailConfirmationHMAC(EmailAddress.objects.get(user=person)).key
    token = default_token_generator.make_token(person)
    site.values["reset"] = f"{user_pk_to_url_str(person)}-{token}"
