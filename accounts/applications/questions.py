"""The questions of the application form, version 1: plain Python, no records.

docs/api.md#applying lists them. The form is built from its own fields; pages that only
show answers take labels and order from here.
"""

from collections.abc import Iterable
from typing import Any

from django_countries import countries

from accounts.applications import custom_questions
from accounts.applications.custom_questions import Extra

ORG_TYPES = {
    "university": "University",
    "public_laboratory": "Public laboratory",
    "government": "Government",
    "civil_society": "Civil society",
    "industry_laboratory": "Industry laboratory",
    "independent": "Independent",
}
POSITIONS = {
    "student": "Student",
    "doctoral": "Doctoral researcher",
    "postdoctoral": "Postdoctoral researcher",
    "staff_researcher": "Staff researcher",
    "professor_or_lead": "Professor or group lead",
    "engineer": "Engineer",
    "other": "Other",
}

#: key -> label, in the order of the form.
LABELS = {
    "full_name": "Full name",
    "work_email": "Work e-mail",
    "org_name": "Organisation",
    "org_type": "Kind of organisation",
    "position": "Position",
    "country": "Country of work",
    "profile_url": "Public profile",
    "title": "Project title",
    "abstract": "What will be studied and how",
    "commercial": "Any commercial interest in the results?",
    "commercial_detail": "What the commercial interest is",
    "storage_plan": "Where the weights are kept, who can read them, how they are deleted",
    "noncommercial": "Research only, no commercial or production use",
    "licence_accept": "The licence is accepted",
}

#: key -> the answer, and its value, after which alone it is asked.
CONDITIONS = {"commercial_detail": ("commercial", "yes")}

#: What everybody is asked: thirteen questions.
ASKED_OF_ALL = [label for key, label in LABELS.items() if key not in CONDITIONS]

#: step -> (title, keys), in the order of the form.
STEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "you": (
        "You",
        (
            *("full_name", "work_email", "org_name", "org_type", "position", "country"),
            "profile_url",
        ),
    ),
    "project": ("Project", ("title", "abstract", "commercial", "commercial_detail")),
    "plan": ("Plan", ("storage_plan",)),
    "terms": ("Terms", ("noncommercial", "licence_accept")),
}


def step_keys(step: str, asked: Iterable[Extra] = ()) -> list[str]:
    """The keys of the questions of one step, those of the tier last."""
    return [*STEPS[step][1], *(extra.key for extra in asked if extra.step == step)]


def answered(answers: dict[str, Any], asked: Iterable[Extra] = ()) -> list[tuple[str, str]]:
    """(label, answer as a person reads it) for every question that has an answer.

    `asked` are the extra questions of the application's form: `application.form.extras`.
    """
    by_key = {extra.key: extra for extra in asked}
    labels = LABELS | {extra.key: extra.label for extra in by_key.values()}
    return [
        (label, readable(key, answers[key], by_key.get(key)))
        for key, label in labels.items()
        if answers.get(key) not in (None, "", [])
    ]


def readable(key: str, value: Any, extra: Extra | None = None) -> str:
    """An answer as a person reads it; `extra` is the question, where it is a tier's own."""
    if extra is not None:
        return custom_questions.readable(extra.kind, value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if key == "org_type":
        return ORG_TYPES.get(value, str(value))
    if key == "position":
        return POSITIONS.get(value, str(value))
    if key == "country":
        return countries.name(value) or str(value)
    if key == "commercial":
        return {"yes": "Yes", "no": "No"}.get(str(value), str(value))
    return str(value)
