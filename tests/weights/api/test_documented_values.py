"""docs/api.md lists every error code and every value of a choice in the code."""

import re

import pytest

from accounts.applications.questions import LABELS, ORG_TYPES, POSITIONS
from tests.support.servers.live import ROOT
from weights.api.error_codes import ERROR_CODES
from weights.api.schemas.applications import Answers

pytestmark = pytest.mark.one_database

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below this head row."""
    table = PAGE[PAGE.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_errors_has_every_code() -> None:
    payload = {row[0].strip("`"): row[1:] for row in rows("| Code | Status |")}
    assert payload == {
        code: [str(meaning.status), meaning.title, meaning.remedy]
        for code, meaning in ERROR_CODES.items()
    }


def test_the_table_of_answers_has_every_field_and_the_values_of_each_choice() -> None:
    payload = {name: value for names, value in rows("| Field | Value |") for name in quoted(names)}
    assert set(payload) == set(Answers.model_fields)
    assert set(payload) <= set(LABELS)
    assert quoted(payload["org_type"]) == list(ORG_TYPES)
    assert quoted(payload["position"]) == list(POSITIONS)


def test_the_schema_names_the_values_of_each_choice() -> None:
    fields = Answers.model_fields
    assert str(fields["org_type"].description) == f"One of {', '.join(ORG_TYPES)}"
    assert str(fields["position"].description) == f"One of {', '.join(POSITIONS)}"


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
