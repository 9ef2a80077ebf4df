"""The form of an application: saved step by step as typed, validated when it is submitted."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import transaction

from accounts.applications import custom_questions, free_mail
from accounts.applications.custom_questions import Kind
from accounts.applications.documents.models import Attachment
from accounts.applications.forms import KEPT, ApplicationForm
from accounts.applications.models import Application
from accounts.applications.questions import LABELS, STEPS, readable, step_keys
from accounts.applications.state_machine import Status
from accounts.applications.workflow import submission
from accounts.background.locks import lock_user
from accounts.errors import InvalidAnswers, StaleAnswers, TransitionRefused
from accounts.review.models import Remark
from accounts.tiers import precheck
from accounts.tiers.models import LicenceVersion
from accounts.users import orcid
from accounts.users.models import User

#: The page that lists every answer; it has no questions, only remarks about the whole.
REVIEW = "review"
_WARNED_OF = {precheck.Weight.AGAINST, precheck.Weight.DOUBT}
#: Attempts to save a step when another step is saved at the same moment.
_TRIES = 3


@dataclass(frozen=True)
class StepState:
    """One step in the list of steps; `open` is the number of its answers with errors."""

    key: str
    title: str
    number: int
    open: int

    @property
    def is_complete(self) -> bool:
        return self.open == 0


class ApplicationDraft:
    """Read-only view of an application for the pages of its form."""

    def __init__(self, application: Application, person: User) -> None:
        self.application, self.person = application, person

    @cached_property
    def licence(self) -> LicenceVersion | None:
        return self.application.tier.licence.in_force()

    @cached_property
    def form(self) -> ApplicationForm:
        """The form, validated with the saved answers."""
        return self.validated(self.application.answers)

    def validated(self, answers: Mapping[str, Any]) -> ApplicationForm:
        """Return the form, validated with these answers."""
        form = ApplicationForm(
            answers,
            person=self.person,
            tier=self.application.tier,
            licence=self.licence,
            asked=self.extras,
            documents={key: len(files) for key, files in self.documents.items()},
            linked_orcid=orcid.linked_id(self.person),
        )
        form.is_valid()
        return form

    @cached_property
    def extras(self) -> list[custom_questions.Extra]:
        return self.application.form.extras

    @cached_property
    def documents(self) -> dict[str, list[Attachment]]:
        """The uploaded documents by the key of their question."""
        by_question: dict[str, list[Attachment]] = {}
        for attachment in self.application.attachments.filter(removed_at=None):
            by_question.setdefault(attachment.question, []).append(attachment)
        return by_question

    # -- steps -------------------------------------------------------------------------

    def keys(self, step: str) -> list[str]:
        """Return the keys of a step's questions.

        Conditional questions are included: a change on the same page may make them apply.
        """
        return [] if step == REVIEW else step_keys(step, self.extras)

    def _texts(self, step: str) -> list[str]:
        """Return the keys of a step's questions without documents, which have their own page."""
        documents = {extra.key for extra in self.extras if extra.kind == Kind.FILE}
        return [key for key in self.keys(step) if key not in documents]

    @cached_property
    def steps(self) -> list[StepState]:
        return [
            StepState(key, title, number, sum(name in self.form.errors for name in self.keys(key)))
            for number, (key, (title, _)) in enumerate(STEPS.items(), start=1)
        ]

    def step_of(self, key: str) -> str:
        return next((step for step in STEPS if key in self.keys(step)), REVIEW)

    @property
    def first_open(self) -> str:
        """The first step with an error or an unanswered remark, else the review page."""
        remarked = {self.step_of(remark.field) for remark in self.remarks if not remark.answer}
        for step in self.steps:
            if step.open or step.key in remarked:
                return step.key
        return REVIEW

    # -- remarks of reviewers ----------------------------------------------------------

    @cached_property
    def remarks(self) -> list[Remark]:
        """The remarks to answer while it is returned: those of the return and later ones."""
        if self.application.status != Status.RETURNED:
            return []
        public = self.application.remarks.filter(is_public=True)
        last = public.exclude(decision=None).order_by("-decision").first()
        return list(public.filter(pk__gte=_first_of(last)) if last else public)

    def remarks_on(self, step: str) -> list[Remark]:
        return [remark for remark in self.remarks if self.step_of(remark.field) == step]

    # -- saved and typed values, which differ when two windows are open ----------------

    def saved_answers(self, step: str) -> dict[str, Any]:
        """Return the saved values of one step by field name, with answers to remarks."""
        answers = self.application.answers
        values = {key: answers[key] for key in self._texts(step) if key in answers}
        replies = {answer_name(remark): remark.answer for remark in self.remarks_on(step)}
        return values | {name: text for name, text in replies.items() if text}

    def fingerprint(self, step: str) -> str:
        """Return a hash of the saved values of one step, by which a stale save is detected."""
        return _hash(self.saved_answers(step))

    def typed(self, step: str, data: Any, *, keep: Collection[str] = ()) -> dict[str, Any]:
        """Return what a window sent for one step; keys in `keep` take the saved value instead."""
        typed = self.form.typed(data, self._texts(step))
        for remark in self.remarks_on(step):
            name = answer_name(remark)
            typed[name] = str(data.get(name, remark.answer)).strip()[:2000]
        saved = self.saved_answers(step)
        typed |= {key: saved.get(key, "") for key in keep if key in {*self.keys(step), *typed}}
        if step == "terms" and typed.get("licence_accept"):
            typed["licence_sha256"] = str(data.get("licence_sha256", ""))[:64]
        return {key: value for key, value in typed.items() if value not in ("", [], False)}

    def truncation_warning(self, step: str, data: Any) -> str:
        """Return a warning about texts that were too long to save whole, or an empty text."""
        labels = {**LABELS, **{extra.key: extra.label for extra in self.extras}}
        names = [f"“{labels[key]}”" for key in self.form.cut(data, self._texts(step))]
        if not names:
            return ""
        return f"Of {' and '.join(names)} only the first {KEPT:,} characters are kept: shorten it."

    def differences(self, step: str, typed: Mapping[str, Any]) -> dict[str, str]:
        """Return the saved values that differ from `typed`, as readable texts by field name."""
        saved = self.saved_answers(step)
        by_key = {extra.key: extra for extra in self.extras}
        return {
            key: readable(key, saved.get(key, ""), by_key.get(key)) or "(empty)"
            for key in [*self._texts(step), *(answer_name(one) for one in self.remarks_on(step))]
            if typed.get(key, "") != saved.get(key, "")
        }

    # -- findings and warnings ---------------------------------------------------------

    @cached_property
    def findings(self) -> list[precheck.Finding]:
        """The findings of the tier's terms of use about the saved answers."""
        return precheck.precheck(self.application.tier, self.application.answers)

    def notes_on(self, key: str) -> list[str]:
        """Return the texts of the findings about one answer."""
        return [finding.text for finding in self.findings if finding.field == key]

    def warnings(self) -> list[tuple[str, str]]:
        """Return (key, sentence) of points that do not prevent submission."""
        answers = self.application.answers
        found = [
            (finding.field, finding.text)
            for finding in self.findings
            if finding.weight in _WARNED_OF
        ]
        address = str(answers.get("work_email", ""))
        if free_mail.is_free(address):
            found.append(
                (
                    "work_email",
                    f"{address} is an address that anyone can have. The reviewer looks at your "
                    "profile instead; an address of your organisation makes it quicker.",
                )
            )
        if answers.get("commercial") == "yes" and "commercial" not in dict(found):
            found.append(("commercial", "The reviewer reads what your commercial interest is."))
        asked = {extra.key for extra in custom_questions.asked(self.extras, answers)}
        for extra in self.extras:
            if extra.key not in asked and answers.get(extra.key):
                found.append((extra.key, f"“{extra.label}” is not asked any more and is not sent."))
        return found

    def leftovers(self) -> list[tuple[str, str]]:
        """Return (key, text) of answers to questions dropped from the form: never submitted."""
        current = {*self.application.form.labels(), "licence_sha256"}
        answers = self.application.answers.items()
        return [(key, readable(key, value)) for key, value in answers if key not in current]


def save_step(
    draft: ApplicationDraft, step: str, data: Any, *, seen: str, keep: Collection[str] = ()
) -> Application:
    """Save what one window typed on one step, valid or not.

    `seen` is the fingerprint that the page was rendered with. The same text sent twice, as by a
    double click, is no conflict. Raises StaleAnswers when another window saved this step since,
    TransitionRefused when the application cannot be edited any more.
    """
    for _ in range(_TRIES):
        application = draft.application
        typed, saved = draft.typed(step, data, keep=keep), draft.saved_answers(step)
        if _comparable(typed) == _comparable(saved):
            return application
        if not application.is_editable:
            raise TransitionRefused(_state(application))
        if seen != _hash(saved):
            raise StaleAnswers("another window saved this step; both versions are kept for you")
        try:
            _save(draft, step, typed)
            return application
        except TransitionRefused:  # another step was saved between reading and writing
            application.refresh_from_db()
            draft = ApplicationDraft(application, draft.person)
    raise StaleAnswers("another window is saving at this moment; save once more")


@transaction.atomic
def _save(draft: ApplicationDraft, step: str, typed: dict[str, Any]) -> None:
    application, by = draft.application, draft.person
    replies = {remark.pk: typed.pop(answer_name(remark), "") for remark in draft.remarks_on(step)}
    if replies:
        submission.answer_remarks(application, replies, by=by)
    replaced = {*draft.keys(step), *(["licence_sha256"] if step == "terms" else [])}
    others = {key: value for key, value in application.answers.items() if key not in replaced}
    if others | typed != application.answers or application.answers_version == 0:
        version = application.answers_version
        submission.save_answers(application, others | typed, by=by, seen_version=version)


@transaction.atomic
def submit(
    application: Application,
    *,
    by: User,
    seen_version: int,
    answers: Mapping[str, Any] | None = None,
) -> None:
    """Validate the saved answers and submit them, in one transaction.

    `answers` override saved ones, such as a licence accepted with the submission. Raises
    InvalidAnswers with the errors of the form, StaleAnswers unless `seen_version` is current, and
    what `submission.save_answers` and `submission.submit` raise.
    """
    lock_user(by)
    application.refresh_from_db(from_queryset=Application.objects.select_for_update(no_key=True))
    if not application.is_editable:
        raise TransitionRefused(_state(application))
    if seen_version != application.answers_version:
        raise StaleAnswers("this application was changed in another window; read it again")
    merged = application.answers | dict(answers or {})
    draft = ApplicationDraft(application, by)
    form = draft.validated(merged)
    if form.errors:
        raise InvalidAnswers(form)
    sent = form.sent()
    sent["licence_sha256"] = merged.get("licence_sha256", "")
    for key, documents in draft.documents.items():
        sent[key] = [_frozen(document) for document in documents]
    if sent != application.answers:
        submission.save_answers(application, sent, by=by, seen_version=seen_version)
    submission.submit(application, by=by, licence_sha256=str(sent["licence_sha256"]))


def _state(application: Application) -> str:
    return f"{application.reference} is {Status(application.status).label.lower()}"


def answer_name(remark: Remark) -> str:
    """Return the form field of the applicant's answer to a remark."""
    return f"answer_{remark.pk}"


def _frozen(document: Attachment) -> dict[str, Any]:
    """Return what a snapshot stores to identify a document."""
    return {"id": str(document.public_id), "name": document.name, "sha256": document.sha256}


def _first_of(remark: Remark) -> int:
    first = remark.decision.remarks.order_by("pk").first() if remark.decision else None
    return first.pk if first else remark.pk


def _comparable(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(_comparable(values).encode()).hexdigest()[:16]
