"""The rule for usernames, and the lookup of an account by username or address."""

from allauth.account.models import EmailAddress
from django.core.validators import RegexValidator

from accounts.errors import InvalidValue
from accounts.users.models import User

#: Maximum length of a username in the database; accounts older than the rule below may have it.
MAX_LENGTH = 150

#: Excludes addresses, because a user named heidi@example.org could impersonate its owner.
validate_username = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z",
    "A username has 1 to 63 characters: letters A to Z, digits, dots, hyphens and underscores, "
    "the first a letter or a digit.",
)
#: ACCOUNT_USERNAME_VALIDATORS, which allauth's forms apply.
VALIDATORS = [validate_username]


def find_account(name: str) -> User | None:
    """Return the account with this username (case-insensitive) or confirmed address, or None.

    A name with an @ is an address. Raises InvalidValue for a name of more than 150 characters.
    """
    if len(name) > MAX_LENGTH:
        raise InvalidValue(f"a username has at most {MAX_LENGTH} characters, not {len(name)}")
    if "@" not in name:
        return User.objects.filter(username__iexact=name).first()
    confirmed = EmailAddress.objects.filter(email__iexact=name, verified=True)
    return User.objects.filter(pk__in=confirmed.values("user")).first()
