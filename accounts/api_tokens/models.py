"""API tokens: the credentials of scripts."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.api_tokens import token_format
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models.event import AuditEvent
from accounts.errors import InvalidValue
from accounts.users import recent_authentication

if TYPE_CHECKING:
    from accounts.users.models import User

MAX_DAYS = 365


class Scope(models.TextChoices):
    """docs/requirements.md, TK-3. Every token has READ; no other scope includes another."""

    READ = "read", "Read open checkpoints"
    READ_GATED = "read-gated", "Apply for gated checkpoints, and download them"
    WRITE = "write", "Publish"
    ADMIN = "admin", "Decide access requests"


#: Scopes without effect on a token that was created without a recent authentication.
STAFF_SCOPES = frozenset({Scope.WRITE, Scope.ADMIN})


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def active(self) -> "ApiTokenQuerySet":
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())

    @transaction.atomic
    def mint(
        self,
        user: "User",
        *,
        name: str,
        scopes: list[str],
        days: int = 90,
        repositories: list[str] | None = None,
        by: "User | None" = None,
    ) -> "tuple[ApiToken, str]":
        """Create a token. Returns it with its plain text, which is not stored.

        Raises InvalidValue for an unknown scope or a lifetime outside 1 to 365 days,
        RecentAuthenticationRequired for scopes other than READ if the sign-in is too old.
        """
        unknown = sorted(set(scopes) - set(Scope.values))
        if unknown:
            scopes_text = ", ".join(Scope.values)
            raise InvalidValue(f"unknown scope {unknown[0]!r}; the scopes are {scopes_text}")
        if not 1 <= days <= MAX_DAYS:
            raise InvalidValue(f"a token lasts 1 to {MAX_DAYS} days, not {days}")
        if set(scopes) - {Scope.READ}:
            recent_authentication.require()
        plain = token_format.new()
        token = self.create(
            user=user,
            name=name[:120],
            digest=token_format.digest(plain),
            last_four=plain[-4:],
            scopes=sorted({*scopes, Scope.READ}),
            repositories=repositories or [],
            expires_at=timezone.now() + timedelta(days=days),
            recently_authenticated=recent_authentication.is_recent(),
        )
        details = {"scopes": token.scopes, "expires": token.expires_at.isoformat()}
        AuditEvent.record(AccountsEvent.TOKEN_MADE, actor=by or user, target=token, details=details)
        return token, plain

    def record_later_use(self, token_id: int, now: datetime, network: str) -> None:
        if not settings.READ_ONLY:
            self.filter(pk=token_id).update(last_used_at=now, last_used_network=network)

    @transaction.atomic
    def revoke_all(self, user: "User", *, by: "User | None", cause: str) -> int:
        """Revoke every active token of `user`. Returns how many."""
        tokens = list(self.active().filter(user=user))
        for token in tokens:
            token.revoke(by=by, cause=cause)
        return len(tokens)


class ApiToken(models.Model):
    """A credential, stored as its SHA-256; 238 random bits need no slow hash."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    scopes = models.JSONField(default=list)
    repositories = models.JSONField(
        default=list,
        blank=True,
        help_text="Checkpoints that the token is limited to; empty for all",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    #: Created within 15 minutes of a password, passkey or code, or in the server's shell.
    recently_authenticated = models.BooleanField(default=False, db_default=False, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_network = models.CharField(max_length=64, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    @property
    def must_be_replaced(self) -> bool:
        """True if its STAFF_SCOPES have no effect because the sign-in was too old."""
        return not self.recently_authenticated and bool(STAFF_SCOPES & set(self.scopes))

    def covers(self, repo_id: str) -> bool:
        """True unless the token is limited to checkpoints other than `repo_id` (`ORG/NAME`)."""
        return not self.repositories or repo_id in self.repositories

    def may_read_gated(self, repo_id: str) -> bool:
        """True if the scope `read-gated` covers this checkpoint (`ORG/NAME`)."""
        return Scope.READ_GATED in self.scopes and self.covers(repo_id)

    def record_use(self, now: datetime, network: str) -> None:
        """Record the time and network of a request, at most once a minute."""
        if settings.READ_ONLY:
            return
        if self.last_used_at and now - self.last_used_at < timedelta(minutes=1):
            return
        if self.last_used_at is None:
            self._record_first_use(now, network)
        else:
            ApiToken.objects.record_later_use(self.pk, now, network)

    @transaction.atomic
    def _record_first_use(self, now: datetime, network: str) -> None:
        """Write the audit event once, even if two first requests arrive together."""
        unused = ApiToken.objects.filter(pk=self.pk, last_used_at=None)
        if unused.update(last_used_at=now, last_used_network=network):
            AuditEvent.record(
                AccountsEvent.TOKEN_FIRST_USED,
                actor=self.user,
                target=self,
                credential=("token", str(self.public_id)),
            )

    @transaction.atomic
    def revoke(self, *, by: "User | None", cause: str = "") -> bool:
        """Refuse this token from the next request. Returns False if it is already revoked."""
        now = timezone.now()
        if not ApiToken.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now):
            return False
        self.revoked_at = now
        details = {"cause": cause} if cause else {}
        AuditEvent.record(AccountsEvent.TOKEN_REVOKED, actor=by, target=self, details=details)
        return True
