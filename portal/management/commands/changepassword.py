"""`manage.py changepassword`: set a password, and end tokens and links like a reset."""

import getpass
import warnings
from typing import Any

from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.management.commands import changepassword
from django.core.management import CommandError
from django.db import transaction

from accounts.management.people import find_user
from accounts.users import services


class Command(changepassword.Command):
    help = "Set a password, and end the sessions, tokens and links of the account."

    def handle(self, *args: Any, **options: Any) -> str:
        """Prompt twice. Raises CommandError if the two differ or the password is weak.

        Also raises it without a terminal, since the password would be echoed.
        """
        user = find_user(options["username"] or getpass.getuser())
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                typed = {
                    "new_password1": getpass.getpass(f"New password of {user.username}: "),
                    "new_password2": getpass.getpass("The same again: "),
                }
            except getpass.GetPassWarning as error:
                raise CommandError(
                    "nothing was changed: there is no terminal to type a password at; run the"
                    " command in one (ssh -t, docker compose exec without -T)"
                ) from error
            except EOFError as error:
                raise CommandError("nothing was changed: no password was typed") from error
        form = SetPasswordForm(user, typed)
        if not form.is_valid():
            reasons = " ".join(str(text) for texts in form.errors.values() for text in texts)
            raise CommandError(f"nothing was changed: {reasons} Run the command again.")
        with transaction.atomic():
            form.save()
            services.record_password_set(user, by=None)
        return f"The password of {user.username} is set; sessions, tokens and links have ended."
