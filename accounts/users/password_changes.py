"""What a new password does to the tokens made under the old one.

Sessions end by themselves: each carries a hash of the password.
"""

from typing import Any

from allauth.account.signals import password_reset
from django.dispatch import receiver

from accounts.api_tokens.models import ApiToken
from accounts.users.models import User


@receiver(password_reset)
def end_tokens(sender: Any, user: User, **kwargs: Any) -> None:
    """A password that had to be reset may have been known to others, and so may the tokens."""
    ApiToken.objects.revoke_all(user, by=user, cause="password_reset")
