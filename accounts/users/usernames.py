"""What an account is called, and whom a name that somebody typed means."""

from allauth.account.models import EmailAddress
from django.core.validators import RegexValidator

from accounts.errors import InvalidValue
from accounts.users.models import User

#: Longer ones are nobody's: accounts of other days have names of up to so many characters.
LONGEST = 150

#: Never an address: whoever writes to heidi@example.org must not reach an account of that name.
fits = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z",
    "A username has 1 to 63 characters: letters A to Z, digits, dots, hyphens and underscores, "
    "the first a letter or a digit.",
)
#: Asked by allauth's forms (ACCOUNT_USERNAME_VALIDATORS).
VALIDATORS = [fits]


def account_of(name: str) -> User | None:
    """The account of a username in any case, or of an address that it has confirmed.

    What holds an @ is an address and no username. Raises InvalidValue for one that is too long.
    """
    if len(name) > LONGEST:
        raise InvalidValue(f"a username has at most {LONGEST} characters, not {len(name)}")
    if "@" not in name:
        return User.objects.filter(username__iexact=name).first()
    confirmed = EmailAddress.objects.filter(email__iexact=name, verified=True)
    return User.objects.filter(pk__in=confirmed.values("user")).first()
