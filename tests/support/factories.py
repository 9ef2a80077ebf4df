"""Factories for people, tiers, applications and published checkpoints."""

import json
import secrets
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.applications.workflow import decisions, submission
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, LicenceVersion, Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.delivery import signed_claims
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.manifests import listing
from weights.publishing.digests import Digest, Digester
from weights.publishing.models import File, Revision
from weights.storage import blob_storage
from weights.storage.models import Blob

PASSWORD = "suite password 1"

ANSWERS: dict[str, Any] = {
    "full_name": "Ada Example",
    "work_email": "applicant@example.org",
    "org_name": "University of Example",
    "org_type": "university",
    "position": "postdoctoral",
    "country": "DE",
    "profile_url": "https://example.org/ada",
    "title": "Outlier features and scale",
    "abstract": (
        "We measure how outlier features in the activations grow with the number of parameters, "
        "and whether quantisation to eight bits keeps the accuracy of the largest model on "
        "reading comprehension."
    ),
    "commercial": "no",
    "storage_plan": (
        "On an encrypted volume of the group's cluster, readable by two people, deleted within "
        "a month after the project ends."
    ),
    "noncommercial": True,
    "licence_accept": True,
}


def safetensors(data: bytes) -> bytes:
    """A complete safetensors file with one U8 tensor of `data`."""
    tensor = {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}
    header = json.dumps({"weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + data


SMALL_MODEL: dict[str, bytes] = {
    "README.md": b"---\nlicense: other\n---\n# A small model\n",
    "config.json": b'{"model_type": "opt"}\n',
    "model.safetensors": safetensors(bytes(range(256)) * 16),
}


def word() -> str:
    """A lower-case word that is unique in this session."""
    return f"w{secrets.token_hex(5)}"


def person(username: str = "", *, confirmed: bool = True, **facts: Any) -> User:
    """An account with password `PASSWORD`; its address is confirmed by default."""
    username = username or word()
    address = facts.pop("email", f"{username}@example.org")
    user = User.objects.create_user(username, address, PASSWORD, **facts)
    EmailAddress.objects.create(user=user, email=address, primary=True, verified=confirmed)
    return user


def staff(username: str, role: Role, tier: Tier | None = None) -> User:
    """A person with `role`, for all tiers or only for `tier`."""
    user = person(username)
    RoleAssignment.objects.assign(user, role, tier)
    return User.objects.get(pk=user.pk)


def tier(slug: str = "", mode: AccessMode = AccessMode.REVIEWED, **facts: Any) -> Tier:
    """Get or create the tier with this slug; a gated one has a licence text in force."""
    slug = slug or word()
    found = Tier.objects.filter(slug=slug).select_related("licence").first()
    if found is None:
        licence = None
        if mode.is_gated:
            licence = Licence.objects.create(slug=word(), title=f"Terms of {slug}")
        found = Tier.objects.create(slug=slug, name=slug, mode=mode, licence=licence, **facts)
    if found.licence and found.licence_in_force() is None:
        text = "# Terms\n\nFor research, never for harm.\n"
        found.licence.versions.create(
            version="1", text=text, effective_at=timezone.now() - timedelta(days=1)
        )
    return found


def in_force(tier: Tier) -> LicenceVersion:
    version = tier.licence_in_force()
    assert version is not None
    return version


def submitted(applicant: User, tier: Tier, answers: dict[str, Any] | None = None) -> Application:
    """A submitted application."""
    application = submission.start(applicant, tier)
    submission.save_answers(application, answers or ANSWERS, by=applicant, expected_version=0)
    submission.submit(application, by=applicant, licence_sha256=in_force(tier).text_sha256)
    return application


def returned(applicant: User, tier: Tier, reviewer: User) -> Application:
    """An application returned to its applicant."""
    application = submitted(applicant, tier)
    decisions.return_for_changes(
        application,
        by=reviewer,
        reasons=["purpose_unclear"],
        remarks={"abstract": "Name the method."},
    )
    return application


def approved(application: Application, reviewer: User, **options: Any) -> Grant:
    """Approve an application that needs one approval; return the grant."""
    grant = decisions.approve(application, by=reviewer, confirmed=True, **options)
    assert grant is not None
    return grant


def grant(user: User, tier: Tier, until: datetime | None = None) -> Grant:
    """A grant created without a review; lasts 30 days by default."""
    return lifecycle.create(
        user,
        tier,
        licence_version=in_force(tier),
        until=until or timezone.now() + timedelta(days=30),
        origin=Grant.Origin.BREAK_GLASS,
        by=None,
        reason="a test needs it",
    )


def expired_grant(user: User, tier: Tier) -> Grant:
    """A grant that ended yesterday and that no sweep has expired."""
    expired = grant(user, tier)
    now = timezone.now()
    expired.starts_at, expired.expires_at = now - timedelta(days=30), now - timedelta(days=1)
    expired.save(update_fields=["starts_at", "expires_at"])
    return expired


def token(user: User, *scopes: str, **facts: Any) -> str:
    """The plaintext of a new API token; its default scope is `read`."""
    _, plain = ApiToken.objects.mint(user, name=word(), scopes=list(scopes) or ["read"], **facts)
    return plain


def link_token(user: User, revision: Revision, grant: Grant | None = None) -> str:
    """A genuine checkpoint link for seven days, even if `user` may not have one."""
    link_id, ends = secrets.token_bytes(16), timezone.now() + timedelta(days=7)
    CheckpointLink.objects.create(
        id_digest=signed_claims.link_digest(link_id),
        holder=user,
        grant=grant,
        checkpoint=revision.checkpoint,
        revision=revision,
        cause=CheckpointLink.Cause.REQUEST,
        state=CheckpointLink.State.ISSUED,
        issued_at=timezone.now(),
        expires_at=ends,
    )
    return signed_claims.sign_token(link_id, int(ends.timestamp()), settings.LINK_KEYS)


def signed_query(claim: signed_claims.FileClaim, ring: signed_claims.Ring) -> str:
    """The query string of a file link: `e=…&k=…&s=…`."""
    signer = signed_claims.FileSigner(ring, claim.right)
    return signer.query(claim.file_id, claim.sha256, claim.expires)


def published(
    repo_id: str = "",
    tier: Tier | None = None,
    files: Mapping[str, bytes] = SMALL_MODEL,
    **facts: Any,
) -> Revision:
    """A visible revision on `main` with these files in the test's store."""
    org, _, name = (repo_id or f"acme/{word()}").partition("/")
    facts = {"tier": tier or _open_tier(), "published_at": timezone.now()} | facts
    checkpoint = _checkpoint(org, name, facts)
    digests = {path: _digest(content) for path, content in files.items()}
    listed = [
        listing.Entry(path, len(content), digests[path].sha256) for path, content in files.items()
    ]
    parent = checkpoint.revisions.first()
    hashed = listing.manifest_sha256(listed)
    revision = checkpoint.revisions.create(
        sha=listing.revision_sha(hashed, parent.sha if parent else None),
        manifest_sha256=hashed,
        parent=parent,
        message="Publish",
        state=Revision.State.VISIBLE,
        visible_at=timezone.now(),
        file_count=len(listed),
        total_bytes=sum(entry.size for entry in listed),
    )
    _add_files(revision, files, digests)
    moved = parent and checkpoint.refs.filter(name="main").update(revision=revision)
    if not moved:
        checkpoint.refs.create(name="main", revision=revision)
    return revision


def _checkpoint(org: str, name: str, facts: dict[str, Any]) -> Checkpoint:
    """Create or change a checkpoint with fewer statements than `update_or_create`."""
    found = Checkpoint.objects.filter(org=org, name=name).first()
    checkpoint = found or Checkpoint(org=org, name=name)
    for fact, value in facts.items():
        setattr(checkpoint, fact, value)
    checkpoint.save()
    return checkpoint


def downloaded(
    person: User | None,
    revision: Revision,
    path: str = "model.safetensors",
    outcome: Download.Outcome = Download.Outcome.SERVED,
) -> Download:
    """The ledger row of a download of one file with a token."""
    file = revision.files.get(path=path)
    return Download.objects.create(
        user_id=person.pk if person else None,
        credential_kind="token",
        checkpoint_id=revision.checkpoint_id,
        file_id=file.pk,
        repo_id=revision.checkpoint.repo_id,
        revision=revision.sha,
        path=path,
        sha256=file.sha256,
        outcome=outcome,
    )


def _open_tier() -> Tier:
    return tier("open", AccessMode.OPEN)


def _digest(content: bytes) -> Digest:
    digester = Digester(len(content))
    digester.update(memoryview(content))
    return digester.result()


def _add_files(
    revision: Revision, files: Mapping[str, bytes], digests: Mapping[str, Digest]
) -> None:
    """Store the files, and write their rows with three statements for any number of files."""
    storage = blob_storage()
    for path, content in files.items():
        with storage.receive() as upload:
            upload.write(content)
            upload.commit(digests[path].sha256)
    blobs = {
        digests[path].sha256: Blob(
            sha256=digests[path].sha256, size=len(content), state=Blob.State.VERIFIED
        )
        for path, content in files.items()
    }
    # A blob that another revision also has keeps its state.
    Blob.objects.bulk_create(blobs.values(), ignore_conflicts=True)
    stored = Blob.objects.in_bulk(list(blobs), field_name="sha256")
    File.objects.bulk_create(
        _file(revision, path, stored[digest.sha256], digest) for path, digest in digests.items()
    )


def _file(revision: Revision, path: str, blob: Blob, digest: Digest) -> File:
    lfs = listing.is_lfs(path, blob.size, is_text=digest.is_text)
    pointer = listing.git_blob_id(listing.lfs_pointer(blob.sha256, blob.size))
    part, shard = listing.part_and_shard(path)
    return File(
        revision=revision,
        path=path,
        blob=blob,
        lfs=lfs,
        git_oid=pointer if lfs else digest.git_oid,
        part=part,
        shard=shard,
    )
