"""The tables of counts as the page shows them: the CSV's columns under headings."""

from typing import Any

from accounts.transparency.tables import TABLES

#: table -> its caption, for screen readers.
CAPTIONS = {
    "applications": "Ended applications by month, tier and outcome",
    "appeals": "Ended appeals by month, tier and outcome",
    "queue": "The open queue by tier and age",
    "grants": "Grants by tier and state",
}
_TEXTS = {"month": "Month", "tier": "Tier"}
_NUMBERS = {
    "approved": "Approved",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn",
    "lapsed": "Lapsed",
    "shown": "Total shown",
    "returned_at_least_once": "Returned at least once",
    "median_days": "Median working days",
    "p90_days": "90 % within",
    "on_time": "In time",
    "overdue": "Overdue",
    "alarm": "Long overdue",
    "active": "Live",
    "suspended": "Suspended",
    "expired": "Expired",
    "revoked": "Revoked",
    "surrendered": "Given up",
}


def count_table(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a table's caption, headings and cells; `rows` as `published()` returns them."""
    headings = {**_TEXTS, **_NUMBERS}
    if name == "appeals":
        headings["rejected"] = "Rejection stands"
    columns = [(column, headings[column], column in _NUMBERS) for column in TABLES[name]]
    return {
        "caption": CAPTIONS[name],
        "headings": [{"label": label, "is_number": number} for _, label, number in columns],
        "rows": [
            [
                {"label": label, "is_number": number, "value": row[column]}
                for column, label, number in columns
            ]
            for row in rows
        ],
    }
