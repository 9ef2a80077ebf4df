"""A second implementation of the gate (docs/requirements.md, GT-6), in plain Python over records.

It shares no rule, fact or query with the gate, only its codes and the texts of refusals.
"""

from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.gate import Decision, Missing, Refusal
from weights.gate.caller import Caller
from weights.gate.refusals import sentence
from weights.publishing.models import File, Ref, Revision


class Answer(NamedTuple):
    """Everything of a decision that a view acts on."""

    status: int = 200
    refusal: Refusal | Missing | None = None
    message: str = ""
    checkpoint: int | None = None
    revision: int | None = None
    #: Id, entity tag and size in bytes.
    file: tuple[int, str, int] | None = None
    grant: int | None = None


def answer_of(decision: Decision) -> Answer:
    file = decision.file
    return Answer(
        decision.status,
        decision.code or decision.missing,
        decision.message,
        decision.checkpoint.pk if decision.checkpoint else None,
        decision.revision.pk if decision.revision else None,
        (file.pk, file.etag, file.size) if file else None,
        decision.grant.pk if decision.grant else None,
    )


class _Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Oracle:
    """The expected answers to one caller, who was looked up, about one set of names."""

    def __init__(
        self, caller: Caller, repo_id: str, revision: str, path: str, now: datetime
    ) -> None:
        self.caller, self.now = caller, now
        self.repo_id, self.name, self.path = repo_id, revision, path
        self.asks_file = False
        # The database's account, not the one that the caller was built from.
        self.user = User.objects.get(pk=caller.user.pk) if caller.user else None
        named = [one for one in Checkpoint.objects.all() if str(one) == repo_id]
        self.checkpoint = named[0] if named else None

    def decide(self) -> Answer:
        self.asks_file = bool(self.path)
        return self._answer(self._fetch_file)

    def may_fetch_revision(self) -> Answer:
        self.asks_file = False
        return self._answer(self._fetch_revision)

    def may_read_revision(self) -> Answer:
        return self._answer(self._read_revision)

    def may_fetch_checkpoint(self) -> Answer:
        self.name = ""
        return self._answer(self._fetch_checkpoint)

    def may_read_checkpoint(self) -> Answer:
        self.name = ""
        return self._answer(self._read_checkpoint)

    def _answer(self, question: Any) -> Answer:
        if self.caller.problem is not None:
            statuses = {Refusal.TOKEN_INVALID: 401, Refusal.TOKEN_EXPIRED: 401}
            status = statuses.get(self.caller.problem, 410)
            return Answer(status, self.caller.problem, sentence(self.caller.problem))
        try:
            return Answer(**question())
        except _Refused as refused:
            return refused.answer

    # -- the questions ------------------------------------------------------------------

    def _read_checkpoint(self) -> dict[str, Any]:
        if self.checkpoint is not None and self._reaches_draft(self.checkpoint):
            return {"checkpoint": self.checkpoint.pk}
        if self.checkpoint is None or not self._may_know(self.checkpoint):
            refusal = Missing.REPOSITORY
            raise _Refused(Answer(404, refusal, sentence(refusal, repo=self.repo_id)))
        if self.checkpoint.published_at is None:
            states = {one.state for one in Revision.objects.filter(checkpoint=self.checkpoint)}
            if "pending" in states:
                self._refuse(403, Refusal.FILE_UNVERIFIED, published=False)
            self._refuse(404, Refusal.NOT_PUBLISHED)
        return {"checkpoint": self.checkpoint.pk}

    def _fetch_checkpoint(self) -> dict[str, Any]:
        found = self._read_checkpoint()
        assert self.checkpoint is not None
        draft = self._draft()
        if draft is None and self._reaches_draft(self.checkpoint):
            return found
        if draft is not None and not self._has_published_weights(draft):
            return found
        ends = self.checkpoint.embargo_until
        if ends is not None and ends > self.now and draft is None:
            self._refuse(403, Refusal.EMBARGOED)
        tier = Tier.objects.get(pk=self.checkpoint.tier_id)
        return found if tier.mode == "open" else found | {"grant": self._grant(tier).pk}

    def _read_revision(self) -> dict[str, Any]:
        found = self._read_checkpoint()
        return found | {"revision": self._revision(to_fetch=False).pk}

    def _fetch_revision(self) -> dict[str, Any]:
        found = self._fetch_checkpoint()
        return found | {"revision": self._revision(to_fetch=True).pk}

    def _fetch_file(self) -> dict[str, Any]:
        found = self._fetch_revision()
        revision = Revision.objects.get(pk=found["revision"])
        files = {one.path: one for one in File.objects.filter(revision=revision)}
        if (file := files.get(self.path)) is None:
            self._refuse(404, Missing.ENTRY, revision)
        if file.blob.state == "quarantined":
            self._refuse(403, Refusal.FILE_QUARANTINED, revision)
        if file.blob.state != "verified":
            self._refuse(403, Refusal.FILE_UNVERIFIED, revision)
        return found | {"file": (file.pk, file.etag, file.size)}

    # -- the conditions -----------------------------------------------------------------

    def _may_know(self, checkpoint: Checkpoint) -> bool:
        ends = checkpoint.embargo_until
        if not checkpoint.private and (ends is None or ends <= self.now):
            return True
        person = self.user
        if person is None or not person.is_active or not person.is_staff or person.suspended_at:
            return False
        if not Authenticator.objects.filter(user=person).exists():
            return False
        token = self.caller.token
        if token is not None and not self._reads_gated(token):
            return False
        readers = {"release-owner", "auditor", "administrator"}
        roles = [one for one in RoleAssignment.objects.filter(user=person) if one.role in readers]
        return any(role.tier_id in {None, checkpoint.tier_id} for role in roles)

    def _grant(self, tier: Tier) -> Grant:
        person, token = self.user, self.caller.token
        if person is None:
            self._refuse(401, Refusal.LOGIN_REQUIRED)
        confirmed = [one for one in EmailAddress.objects.filter(user=person) if one.verified]
        if not person.is_active or person.suspended_at or not confirmed:
            self._refuse(403, Refusal.SUSPENDED)
        if token is not None and not self._reads_gated(token):
            self._refuse(403, Refusal.TOKEN_SCOPE)
        grants = list(Grant.objects.filter(user=person, tier=tier))
        if self.caller.grant_id is not None:
            grants = [one for one in grants if one.pk == self.caller.grant_id]
        live = [one for one in grants if one.state == "active" and one.expires_at > self.now]
        if not live:
            self._refuse(403, self._without_grant(tier, grants))
        if not self._licence_holds(live[0], tier):
            self._refuse(403, Refusal.LICENCE_OUTDATED)
        return live[0]

    def _reads_gated(self, token: ApiToken) -> bool:
        limited_to_others = token.repositories and self.repo_id not in token.repositories
        return "read-gated" in token.scopes and not limited_to_others

    def _without_grant(self, tier: Tier, grants: list[Grant]) -> Refusal:
        sent = [
            (one.submitted_at, one)
            for one in Application.objects.filter(applicant=self.user, tier=tier)
            if one.status != "draft" and one.submitted_at is not None
        ]
        submitted, application = max(sent, key=itemgetter(0), default=(None, None))
        grant = max(grants, key=lambda one: one.starts_at, default=None)
        if grant and (submitted is None or grant.starts_at >= submitted):
            return {
                "active": Refusal.GRANT_EXPIRED,
                "expired": Refusal.GRANT_EXPIRED,
                "suspended": Refusal.SUSPENDED,
                "revoked": Refusal.REVOKED,
                "surrendered": Refusal.NO_APPLICATION,
            }[grant.state]
        return {
            "submitted": Refusal.IN_REVIEW,
            "in_review": Refusal.IN_REVIEW,
            "returned": Refusal.RETURNED,
            "rejected": Refusal.REJECTED,
        }.get(application.status if application else "", Refusal.NO_APPLICATION)

    def _licence_holds(self, grant: Grant, tier: Tier) -> bool:
        texts = [
            one for one in tier.accepted_licence.versions.all() if one.effective_at <= self.now
        ]
        return grant.has_valid_licence(self.now, tier, texts)

    def _revision(self, *, to_fetch: bool) -> Revision:
        """The visible revision; behind a link, its own to fetch and, if withdrawn, to read."""
        link = self.caller.link
        if (draft := self._draft()) is not None:
            return draft
        found = self._named()
        if found is not None:
            covered = link is None or link.revision_id == found.pk
            if found.state == "visible" and (covered or not to_fetch):
                return found
            if found.state == "withdrawn" and found.visible_at and covered:
                self._refuse(410, Refusal.WITHDRAWN, found)
        self._refuse(404, Missing.REVISION)

    # -- drafts -------------------------------------------------------------------------

    def _reaches_draft(self, checkpoint: Checkpoint) -> bool:
        """True for an owner who names a draft, or a checkpoint of drafts alone.

        A session reaches the latter only if it names a commit.
        """
        if self._draft() is not None:
            return True
        named = self._named() if self.name else None
        if named is not None and (
            named.state == "visible" or (named.state == "withdrawn" and named.visible_at)
        ):
            return False
        states = {one.state for one in Revision.objects.filter(checkpoint=checkpoint)}
        unpublished = checkpoint.published_at is None and "draft" in states
        is_commit = len(self.name) == 40 and set(self.name) <= set("0123456789abcdef")
        return unpublished and (self.caller.kind == "token" or is_commit) and self._owns()

    def _owns(self) -> bool:
        assert self.checkpoint is not None
        person, token = self.user, self.caller.token
        if person is None or self.caller.kind not in {"session", "token"}:
            return False
        if not person.is_active or not person.is_staff or person.suspended_at:
            return False
        if not Authenticator.objects.filter(user=person).exists():
            return False
        if token is not None:
            limited_to_others = token.repositories and self.repo_id not in token.repositories
            if "write" not in token.scopes or limited_to_others:
                return False
            if not token.recently_authenticated:
                return False
        owned = RoleAssignment.objects.filter(user=person, role="release-owner")
        return any(role.tier_id in {None, self.checkpoint.tier_id} for role in owned)

    def _draft(self) -> Revision | None:
        """The unpublished revision to which the name leads an owner."""
        if not self.name or self.checkpoint is None or not self._owns():
            return None
        hidden = {"draft", "pending", "failed"}
        revisions = list(Revision.objects.filter(checkpoint=self.checkpoint))
        if len(self.name) == 40 and set(self.name) <= set("0123456789abcdef"):
            named = [one for one in revisions if one.sha == self.name and one.state in hidden]
            return named[0] if named else None
        if self.caller.kind == "session":
            return None
        refs = list(Ref.objects.filter(checkpoint=self.checkpoint).select_related("revision"))
        if not self.name.startswith("refs/tags/"):
            branch = self.name.removeprefix("refs/heads/")
            head = self._head(branch, revisions, refs)
            if head is not None:
                return head if head.state in hidden else None
        if self.name.startswith("refs/heads/"):
            return None
        tag = self.name.removeprefix("refs/tags/")
        tagged = [ref.revision for ref in refs if (ref.kind, ref.name) == ("tag", tag)]
        return next((one for one in tagged if one.state in hidden), None)

    @staticmethod
    def _head(branch: str, revisions: list[Revision], refs: list[Ref]) -> Revision | None:
        heads = {"draft", "pending", "visible"}
        pointed = [ref.revision for ref in refs if (ref.kind, ref.name) == ("branch", branch)]
        pointed = [one for one in pointed if one.state in heads]
        own = heads - {"visible"} if pointed else heads
        made = [one for one in revisions if one.branch == branch and one.state in own]
        return max([*pointed, *made], key=lambda one: one.pk, default=None)

    def _has_published_weights(self, draft: Revision) -> bool:
        """True if the file, or without a path any, is LFS and was published here: as gated."""
        files = list(File.objects.filter(revision=draft))
        if self.asks_file:
            files = [one for one in files if one.path == self.path]
        published = File.objects.filter(
            revision__checkpoint=self.checkpoint, revision__visible_at__isnull=False
        )
        blobs = {one.blob_id for one in published}
        return any(one.lfs and one.blob_id in blobs for one in files)

    def _named(self) -> Revision | None:
        """The revision of this name in any state: 40 hex digits, or a branch or tag."""
        if len(self.name) == 40 and set(self.name) <= set("0123456789abcdef"):
            revisions = Revision.objects.filter(checkpoint=self.checkpoint)
            return next((one for one in revisions if one.sha == self.name), None)
        prefixes = {"branch": "refs/heads/", "tag": "refs/tags/"}
        for ref in Ref.objects.filter(checkpoint=self.checkpoint).select_related("revision"):
            if self.name in {ref.name, prefixes[ref.kind] + ref.name}:
                return ref.revision
        return None

    def _refuse(
        self,
        status: int,
        refusal: Refusal | Missing,
        revision: Revision | None = None,
        *,
        published: bool = True,
    ) -> NoReturn:
        assert self.checkpoint is not None
        names = {
            "repo": self.repo_id,
            "tier": Tier.objects.get(pk=self.checkpoint.tier_id).slug,
            "revision": self.name,
            "path": self.path,
        }
        if revision is not None:
            day = revision.withdrawn_at
            names["sha"] = revision.sha
            names["when"] = f" on {day:%Y-%m-%d}" if day else ""
            names["reason"] = revision.state_reason.rstrip(".")
        message = sentence(refusal, published=published, **names)
        about = revision.pk if revision else None
        raise _Refused(Answer(status, refusal, message, self.checkpoint.pk, about))
