"""The questions of the application form, version 1: plain Python, no records.

application-workflow.md section 2. The form is built from its own fields; pages that only
show answers take labels and order from here.
"""

from typing import Any

from django_countries import countries

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


def answered(answers: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, answer as a person reads it) for every question that has an answer."""
    return [
        (label, readable(key, answers[key]))
        for key, label in LABELS.items()
        if answers.get(key) not in (None, "")
    ]


def readable(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if key == "org_type":
        return ORG_TYPES.get(value, str(value))
    if key == "position":
        return POSITIONS.get(value, str(value))
    if key == "country":
        return countries.name(value) or str(value)
    return str(value)
