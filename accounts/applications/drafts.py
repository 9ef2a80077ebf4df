"""The draft of an application: steps saved without validation, validated on submission."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import transaction

from accounts.applications import custom_questions, free_mail
from accounts.applications.custom_questions import CustomQuestion, Kind
from accounts.applications.documents.models import Attachment
from accounts.applications.forms import MAX_DRAFT_LENGTH, ApplicationForm
from accounts.applications.models import Application
from accounts.applications.questions import STEPS, readable, step_keys
from accounts.applications.transition_table import Status
from accounts.applications.workflow import submission
from accounts.background.locks import lock_user
from accounts.errors import InvalidAnswers, StaleAnswers, TransitionRefused
from accounts.review.models import Remark
from accounts.tiers import precheck
from accounts.tiers.models import LicenceVersion
from accounts.users import orcid
from accounts.users.models import User

#: The page that lists every answer. It has no questions, only remarks about the application.
REVIEW = "review"
_WARNING_WEIGHTS = {precheck.Weight.AGAINST, precheck.Weight.DOUBT}
#: Attempts to save a step while other steps are being saved.
_ATTEMPTS = 3


@dataclass(frozen=True)
class StepState:
    """One step in the list of steps; `errors` counts its answers with errors."""

    key: str
    title: str
    number: int
    errors: int
    is_started: bool

    @property
    def is_complete(self) -> bool:
        return self.errors == 0

    @property
    def badge(self) -> str:
        """The state of the step in words."""
        if self.is_complete:
            return "Done"
        return "Needs attention" if self.is_started else "Not started"


class ApplicationDraft:
    """An application as the form's pages show it. Read-only; see `save_step` and `submit`."""

    def __init__(self, application: Application, person: User) -> None:
        self.application, self.person = application, person

    @cached_property
    def licence(self) -> LicenceVersion | None:
        return self.application.tier.licence_in_force()

    @cached_property
    def form(self) -> ApplicationForm:
        """The form, validated with the saved answers."""
        return self.validated(self.application.answers)

    def validated(self, answers: Mapping[str, Any]) -> ApplicationForm:
        """Return the form validated with these answers."""
        form = ApplicationForm(
            answers,
            person=self.person,
            tier=self.application.tier,
            licence=self.licence,
            custom_questions=self.custom_questions,
            documents={key: len(files) for key, files in self.documents.items()},
            linked_orcid=orcid.linked_id(self.person),
        )
        form.is_valid()
        return form

    @cached_property
    def custom_questions(self) -> list[CustomQuestion]:
        return self.application.form.custom_questions

    @cached_property
    def documents(self) -> dict[str, list[Attachment]]:
        """The uploaded documents, by the key of their question."""
        by_question: dict[str, list[Attachment]] = {}
        for attachment in self.application.attachments.filter(removed_at=None):
            by_question.setdefault(attachment.question, []).append(attachment)
        return by_question

    # -- steps -------------------------------------------------------------------------

    def keys(self, step: str) -> list[str]:
        """Return the keys of a step's questions.

        Conditional questions are included, because a change on the same page may make them apply.
        """
        return [] if step == REVIEW else step_keys(step, self.custom_questions)

    def _field_keys(self, step: str) -> list[str]:
        """Return the keys of a step's questions, except documents, which have their own page."""
        documents = {one.key for one in self.custom_questions if one.kind == Kind.FILE}
        return [key for key in self.keys(step) if key not in documents]

    @cached_property
    def steps(self) -> list[StepState]:
        answered = {*self.application.answers, *self.documents}
        return [
            StepState(
                key,
                title,
                number,
                errors=sum(name in self.form.errors for name in self.keys(key)),
                is_started=not answered.isdisjoint(self.keys(key)),
            )
            for number, (key, (title, _)) in enumerate(STEPS.items(), start=1)
        ]

    def open_points(self, step: str) -> str:
        """Return a sentence that names the invalid answers of a step and counts the missing ones.

        Empty for a complete step. Documents and answers to remarks are not checked here.
        """
        errors = [key for key in self._field_keys(step) if key in self.form.errors]
        invalid = [key for key in errors if self.form.data.get(key) not in (None, "", [], False)]
        missing = len(errors) - len(invalid)
        points = [f"“{self.labels().get(key, key)}” is not valid yet" for key in invalid]
        if missing:
            points.append(f"{missing} answer{'s are' if missing > 1 else ' is'} missing")
        title = STEPS[step][0]
        return f"“{title}” is saved, but incomplete: {'; '.join(points)}." if points else ""

    def step_of(self, key: str) -> str:
        return next((step for step in STEPS if key in self.keys(step)), REVIEW)

    @property
    def first_incomplete(self) -> str:
        """The first step with an error or an unanswered remark, or the review page."""
        remarked = {self.step_of(remark.field) for remark in self.remarks if not remark.answer}
        incomplete = (one.key for one in self.steps if one.errors or one.key in remarked)
        return next(incomplete, REVIEW)

    # -- remarks of reviewers ----------------------------------------------------------

    @cached_property
    def remarks(self) -> list[Remark]:
        """The remarks to answer on a returned application: those made with or after the return."""
        if self.application.status != Status.RETURNED:
            return []
        public = self.application.remarks.filter(is_public=True)
        last = public.exclude(decision=None).order_by("-decision").first()
        return list(public.filter(pk__gte=_first_of(last)) if last else public)

    def remarks_on(self, step: str) -> list[Remark]:
        return [remark for remark in self.remarks if self.step_of(remark.field) == step]

    # -- saved and posted values, which differ when two windows are open -------------------

    def saved_answers(self, step: str) -> dict[str, Any]:
        """Return the saved values of one step by field name, with answers to remarks."""
        answers = self.application.answers
        values = {key: answers[key] for key in self._field_keys(step) if key in answers}
        replies = {answer_name(remark): remark.answer for remark in self.remarks_on(step)}
        return values | {name: text for name, text in replies.items() if text}

    def fingerprint(self, step: str) -> str:
        """Return a hash of the saved values of one step, which reveals a stale save."""
        return _hash(self.saved_answers(step))

    def posted_answers(
        self, step: str, data: Any, *, use_saved: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return the values posted for one step, but the saved values of keys in `use_saved`."""
        posted = self.form.draft_answers(data, self._field_keys(step))
        for remark in self.remarks_on(step):
            name = answer_name(remark)
            posted[name] = str(data.get(name, remark.answer)).strip()[:2000]
        saved, names = self.saved_answers(step), {*self.keys(step), *posted}
        posted |= {key: saved.get(key, "") for key in use_saved if key in names}
        if step == "terms" and posted.get("licence_accept"):
            posted["licence_sha256"] = str(data.get("licence_sha256", ""))[:64]
        return {key: value for key, value in posted.items() if value not in ("", [], False)}

    def labels(self) -> dict[str, str]:
        """Return the short label of each question."""
        return self.application.form.labels()

    def truncation_warning(self, step: str, data: Any) -> str:
        """Return a warning about texts that are too long to save whole; empty if there are none."""
        keys = self.form.truncated(data, self._field_keys(step))
        if not keys:
            return ""
        names = " and ".join(f"“{self.labels()[key]}”" for key in keys)
        return f"Of {names} only the first {MAX_DRAFT_LENGTH:,} characters are saved: shorten it."

    def differences(self, step: str, posted: Mapping[str, Any]) -> dict[str, str]:
        """Return the saved values that differ from `posted`, as display texts by field name."""
        saved = self.saved_answers(step)
        by_key = {question.key: question for question in self.custom_questions}
        names = [*self._field_keys(step), *(answer_name(one) for one in self.remarks_on(step))]
        return {
            key: readable(key, saved.get(key, ""), by_key.get(key)) or "(empty)"
            for key in names
            if posted.get(key, "") != saved.get(key, "")
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
        """Return (key, sentence) of problems that do not prevent submission."""
        answers = self.application.answers
        warnings = [
            (finding.field, finding.text)
            for finding in self.findings
            if finding.weight in _WARNING_WEIGHTS
        ]
        address = str(answers.get("work_email", ""))
        if free_mail.is_free(address):
            warnings.append(
                (
                    "work_email",
                    f"Anyone can get an address like {address}. The reviewer checks your profile "
                    "instead; an address of your organisation speeds up the review.",
                )
            )
        if answers.get("commercial") == "yes" and "commercial" not in dict(warnings):
            warnings.append(("commercial", "The reviewer considers your commercial interest."))
        applicable = custom_questions.applicable(self.custom_questions, answers)
        for question in self.custom_questions:
            if question not in applicable and answers.get(question.key):
                text = f"“{question.label}” no longer applies and is not sent."
                warnings.append((question.key, text))
        return warnings

    def dropped_answers(self) -> list[tuple[str, str]]:
        """Return (key, text) of answers to former questions, which are never submitted."""
        current = {*self.application.form.labels(), "licence_sha256"}
        answers = self.application.answers.items()
        return [(key, readable(key, value)) for key, value in answers if key not in current]


def save_step(
    draft: ApplicationDraft,
    step: str,
    data: Any,
    *,
    fingerprint: str,
    use_saved: Collection[str] = (),
) -> Application:
    """Save the values posted for one step, even if invalid.

    `fingerprint` is that of the rendered page. Posting the same values twice, as by a double click,
    is no conflict. Raises StaleAnswers if another window has saved this step since,
    TransitionRefused if the application can no longer be edited.
    """
    for _ in range(_ATTEMPTS):
        application = draft.application
        posted = draft.posted_answers(step, data, use_saved=use_saved)
        saved = draft.saved_answers(step)
        if _canonical(posted) == _canonical(saved):
            return application
        if not application.is_editable:
            raise TransitionRefused(f"{application.reference} is {application.state_words}")
        if fingerprint != _hash(saved):
            raise StaleAnswers("another window saved this step; the page shows both versions")
        try:
            _save(draft, step, posted)
            return application
        except TransitionRefused:  # another step was saved between reading and writing
            application.refresh_from_db()
            draft = ApplicationDraft(application, draft.person)
    raise StaleAnswers("another window is saving now; save again")


@transaction.atomic
def _save(draft: ApplicationDraft, step: str, posted: dict[str, Any]) -> None:
    application, by = draft.application, draft.person
    replies = {remark.pk: posted.pop(answer_name(remark), "") for remark in draft.remarks_on(step)}
    if replies:
        submission.answer_remarks(application, replies, by=by)
    replaced = {*draft.keys(step), *(["licence_sha256"] if step == "terms" else [])}
    others = {key: value for key, value in application.answers.items() if key not in replaced}
    if others | posted != application.answers or application.answers_version == 0:
        version = application.answers_version
        submission.save_answers(application, others | posted, by=by, expected_version=version)


@transaction.atomic
def submit(
    application: Application,
    *,
    by: User,
    expected_version: int,
    answers: Mapping[str, Any] | None = None,
) -> None:
    """Validate the saved answers and submit them, in one transaction.

    `answers` override saved ones, such as a licence accepted with the submission. Raises
    InvalidAnswers with the errors of the form, StaleAnswers unless `expected_version` is current,
    and what `submission.save_answers` and `submission.submit` raise.
    """
    lock_user(by)
    application.refresh_from_db(from_queryset=Application.objects.select_for_update(no_key=True))
    if not application.is_editable:
        raise TransitionRefused(f"{application.reference} is {application.state_words}")
    if expected_version != application.answers_version:
        raise StaleAnswers("this application was changed in another window; reload it")
    merged = application.answers | dict(answers or {})
    draft = ApplicationDraft(application, by)
    form = draft.validated(merged)
    if form.errors:
        raise InvalidAnswers(form)
    submitted = form.submitted_answers()
    submitted["licence_sha256"] = merged.get("licence_sha256", "")
    for key, documents in draft.documents.items():
        submitted[key] = [_reference(document) for document in documents]
    if submitted != application.answers:
        submission.save_answers(application, submitted, by=by, expected_version=expected_version)
    submission.submit(application, by=by, licence_sha256=str(submitted["licence_sha256"]))


def answer_name(remark: Remark) -> str:
    """Return the form field of the applicant's answer to a remark."""
    return f"answer_{remark.pk}"


def _reference(document: Attachment) -> dict[str, Any]:
    """Return the reference to a document that a snapshot stores."""
    return {"id": str(document.public_id), "name": document.name, "sha256": document.sha256}


def _first_of(remark: Remark) -> int:
    first = remark.decision.remarks.order_by("pk").first() if remark.decision else None
    return first.pk if first else remark.pk


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(values).encode()).hexdigest()[:16]
