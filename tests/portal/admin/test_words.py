"""Words and units in every list and record of the admin, instead of codes and raw counts."""

import re
from html import unescape
from pathlib import Path

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.audit.models import AuditEvent
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from tests.portal.admin import tier_records
from tests.support import factories
from weights.integrity.models import StoreFinding, StoreSurvey, VerificationRun
from weights.ledger.models import Download
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

_CELL = re.compile(
    r'<(td|th|div|p)(?: class="(?:field-|readonly)[^>]*| data-label=[^>]*)>(.*?)</\1>', re.S
)
_CODE = re.compile(r"[a-z]+([_.][a-z]+)*_[a-z_.]+")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


def _cells(page: str) -> list[str]:
    """The texts of the cells, without the raw record of an audit event."""
    shown = page.split("Raw record", 1)[0]
    found = [re.sub(r"<[^>]+>", " ", cell) for _, cell in _CELL.findall(shown)]
    return [unescape(text).strip() for text in found]


def _is_raw(text: str) -> bool:
    is_count = text.isdecimal() and int(text) >= 1024
    return bool(is_count or _CODE.fullmatch(text) or _ISO.search(text))


@pytest.mark.slow
def test_no_cell_of_the_admin_is_a_code_a_raw_count_or_an_iso_time(
    store: Path, client: Client
) -> None:
    records = tier_records.make_all()
    Blob.objects.update(size=5_000_000)
    VerificationRun.objects.update(bytes_read=5_000_000)
    StoreSurvey.objects.update(stored_bytes=5_000_000)
    StoreFinding.objects.update(size=5_000_000)
    Download.objects.create(
        credential_kind="checkpoint_link",
        repo_id="quokka/private",
        length=5_000_000,
        outcome="refused",
        code="file_quarantined",
    )
    person = factories.person("everything")
    for role in Role:
        RoleAssignment.objects.assign(person, role)
    client.force_login(person)
    # Rows of the trail and the ledger, and its people, are cited by their number: no count.
    downloads = Download.objects.all()
    numbers = {str(row.pk) for row in [*downloads, *AuditEvent.objects.all()]}
    numbers |= {str(row.user_id) for row in downloads}
    raw, seen = [], 0
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        pages += [reverse(f"{name}_change", args=[records[model].pk])] if model in records else []
        for page in pages:
            cells = _cells(client.get(page).text)
            seen += len(cells)
            raw += [f"{page}: {cell}" for cell in cells if _is_raw(cell) and cell not in numbers]
    assert raw == []
    assert seen > 200
