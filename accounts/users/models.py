"""The user model."""

import uuid

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. The audit trail, which outlives the account, identifies them by `public_id`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    suspended_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        permissions = [("erase_user", "Can erase a person")]
        constraints = [
            models.UniqueConstraint(
                models.functions.Lower("username"), name="one_account_per_username_in_any_case"
            )
        ]

    @property
    def has_confirmed_address(self) -> bool:
        """True if any address of this account is confirmed."""
        return bool(EmailAddress.objects.filter(user=self, verified=True).exists())

    def confirmed_addresses(self) -> list[str]:
        return list(
            EmailAddress.objects.filter(user=self, verified=True)
            .order_by("-primary", "email")
            .values_list("email", flat=True)
        )

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username
