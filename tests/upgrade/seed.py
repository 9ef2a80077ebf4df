"""Run by the earlier release's own code, in its tree, to fill an install of it.

`python manage.py shell` reads this file. It prints the tokens as one line of JSON.
"""

import json

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from tests.support import factories
from weights.storage import blob_storage

blob_storage().create()
gated, free = Tier.objects.get(slug="opt-175b"), Tier.objects.get(slug="open")
revision = factories.published("acme/gated", gated)
factories.published("acme/free", free)
holder = factories.person("holder")
grant = factories.grant(holder, gated)
factories.staff("rita", Role.REVIEWER)
factories.staff("aud", Role.AUDITOR)
for number in range(6):
    factories.person(f"applicant{number}")
facts = {
    "token": factories.token(holder, "read", "read-gated"),
    "link": factories.link_token(holder, revision, grant),
}
print(json.dumps(facts))  # noqa: T201
