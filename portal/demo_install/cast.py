"""Invented people and their answers; organisations have names like "Invented College"."""

from dataclasses import dataclass
from typing import Any

REVIEWERS = ["reviewer-amara", "reviewer-bruno", "reviewer-chen"]
LEAD, OWNER, ADMINISTRATOR = "lead-dalia", "owner-emeka", "administrator-freya"

_NAMES = [
    *["Aiko", "Björn", "Carmen", "Dmitri", "Esther", "Farid", "Grace", "Hugo"],
    *["Ines", "Jonas", "Kavya", "Liam", "Mei", "Nadia", "Omar", "Priya"],
    *["Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor", "Wanda", "Xavier"],
    *["Yara", "Zoltan", "Anouk", "Bashir", "Clara", "Diego", "Elif", "Femi"],
    *["Greta", "Hana", "Ivan", "Joana", "Kofi", "Lena", "Marek", "Noor"],
]
_SURNAMES = ["Example", "Sample", "Placeholder", "Specimen", "Fixture"]
_ORGANISATIONS = [
    ("Invented University of the North", "university", "SE"),
    ("Invented Institute for Language", "public_laboratory", "DE"),
    ("Invented College", "university", "US"),
    ("Invented Polytechnic", "university", "IN"),
    ("Invented Observatory for Media", "civil_society", "KE"),
    ("Invented Research Ltd", "industry_laboratory", "GB"),
    ("Invented National Laboratory", "government", "JP"),
]
_POSITIONS = ["doctoral", "postdoctoral", "staff_researcher", "professor_or_lead", "student"]
_PROJECTS = [
    (
        "Outlier features and scale",
        "We measure how outlier features in the activations grow with the number of parameters, "
        "and whether quantisation to eight bits keeps the accuracy of the largest model on "
        "reading comprehension.",
    ),
    (
        "Memorised text in large models",
        "We count how much of the published training corpora a model of this size repeats "
        "verbatim, by sampling from prefixes of known documents, and compare the rate with that "
        "of the six smaller sizes.",
    ),
    (
        "Bias across languages",
        "We translate a published benchmark of stereotypes into nine languages and compare the "
        "preferences of models of eight sizes, with confidence intervals over paraphrases.",
    ),
    (
        "Loss spikes in retrospect",
        "We relate the restarts that the training logbook documents to the geometry of the final "
        "weights, layer by layer, and test whether a spike can still be seen in them.",
    ),
    (
        "Energy of inference",
        "We measure the energy of a token on four generations of accelerators at several batch "
        "sizes, with the same prompts, and publish the raw readings.",
    ),
]


@dataclass(frozen=True)
class Person:
    """An applicant: user name, mail address and answers to the form."""

    username: str
    email: str
    answers: dict[str, Any]


def applicants(count: int) -> list[Person]:
    """The first `count` of forty applicants; always the same."""
    return [_applicant(number) for number in range(count)]


def _applicant(number: int) -> Person:
    first, surname = _NAMES[number], _SURNAMES[number % len(_SURNAMES)]
    organisation, kind, country = _ORGANISATIONS[number % len(_ORGANISATIONS)]
    title, abstract = _PROJECTS[number % len(_PROJECTS)]
    username = first.lower().replace("ö", "oe")
    # Domains below .example belong to nobody (RFC 2606).
    email = f"{username}@{organisation.lower().replace(' ', '-')}.example"
    answers = {
        "full_name": f"{first} {surname} (invented)",
        "work_email": email,
        "org_name": organisation,
        "org_type": kind,
        "position": _POSITIONS[number % len(_POSITIONS)],
        "country": country,
        "profile_url": "",
        "title": title,
        "abstract": abstract,
        "commercial": "no",
        "storage_plan": (
            "On an encrypted volume of the group's cluster, readable by two people, deleted "
            "within a month after the project ends."
        ),
        "noncommercial": True,
        "licence_accept": True,
    }
    return Person(username, email, answers)
