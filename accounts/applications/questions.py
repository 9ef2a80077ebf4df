"""The standard questions of every application form. Plain Python, no models.

docs/api.md#applying lists them. The form defines its own fields; pages that only show answers use
these labels in this order.
"""

from collections.abc import Iterable
from typing import Any

from django_countries import countries

from accounts.applications import custom_questions
from accounts.applications.custom_questions import CustomQuestion

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
    "commercial_detail": "Commercial interest",
    "storage_plan": "Where the weights are kept, who can read them, how they are deleted",
    "noncommercial": "Research only, no commercial or production use",
    "licence_accept": "Licence accepted",
}

#: key -> (key, value) of the answer on which the question depends.
CONDITIONS = {"commercial_detail": ("commercial", "yes")}

#: The labels of the questions without a condition.
UNCONDITIONAL_LABELS = [label for key, label in LABELS.items() if key not in CONDITIONS]

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


def step_keys(step: str, custom: Iterable[CustomQuestion] = ()) -> list[str]:
    """Return the keys of the questions of one step, custom questions last."""
    return [*STEPS[step][1], *(question.key for question in custom if question.step == step)]


def answered(
    answers: dict[str, Any], custom: Iterable[CustomQuestion] = ()
) -> list[tuple[str, str]]:
    """Return (label, display text) of every answered question.

    `custom` are the custom questions of the form: `application.form.custom_questions`.
    """
    by_key = {question.key: question for question in custom}
    labels = LABELS | {question.key: question.label for question in by_key.values()}
    return [
        (label, readable(key, answers[key], by_key.get(key)))
        for key, label in labels.items()
        if answers.get(key) not in (None, "", [])
    ]


def readable(key: str, value: Any, custom: CustomQuestion | None = None) -> str:
    """Return the display text of an answer; `custom` is the question if it is a custom one."""
    if custom is not None:
        return custom_questions.readable(custom.kind, value)
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
