"""An application while its applicant fills it in: step by step, kept as typed, judged on demand."""

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

#: The page that lists every answer; it holds no question, but remarks about the whole.
REVIEW = "review"
_WEIGHED = {precheck.Weight.AGAINST, precheck.Weight.DOUBT}
#: Times that a save is tried again when another step was saved at the same moment.
_TRIES = 3


@dataclass(frozen=True)
class StepState:
    """One step in the list of steps: how many of its answers are still open."""

    key: str
    title: str
    number: int
    open: int

    @property
    def is_complete(self) -> bool:
        return self.open == 0


class Filling:
    """One application with all that its form pages show; nothing here changes it."""

    def __init__(self, application: Application, person: User) -> None:
        self.application, self.person = application, person

    @cached_property
    def licence(self) -> LicenceVersion | None:
        return self.application.tier.licence.in_force()

    @cached_property
    def form(self) -> ApplicationForm:
        """The questions with the answers as they are kept, judged."""
        return self.judged(self.application.answers)

    def judged(self, answers: Mapping[str, Any]) -> ApplicationForm:
        form = ApplicationForm(
            answers,
            person=self.person,
            tier=self.application.tier,
            licence=self.licence,
            asked=self.extras,
            documents={key: len(found) for key, found in self.documents.items()},
            linked_orcid=orcid.linked_to(self.person),
        )
        form.is_valid()
        return form

    @cached_property
    def extras(self) -> list[custom_questions.Extra]:
        return self.application.form.extras

    @cached_property
    def documents(self) -> dict[str, list[Attachment]]:
        """The documents sent so far, by the key of the question they answer."""
        found: dict[str, list[Attachment]] = {}
        for attachment in self.application.attachments.filter(removed_at=None):
            found.setdefault(attachment.question, []).append(attachment)
        return found

    # -- steps -------------------------------------------------------------------------

    def keys(self, step: str) -> list[str]:
        """The questions of a step; those of the tier that are not asked now are among them,
        for a change on the same page may ask them."""
        return [] if step == REVIEW else step_keys(step, self.extras)

    def _texts(self, step: str) -> list[str]:
        """The questions of a step that are answered in its form; documents come another way."""
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
        """Where to go on: the first step that needs something, else the review page."""
        remarked = {self.step_of(remark.field) for remark in self.remarks if not remark.answer}
        for step in self.steps:
            if step.open or step.key in remarked:
                return step.key
        return REVIEW

    # -- what staff asks ---------------------------------------------------------------

    @cached_property
    def remarks(self) -> list[Remark]:
        """Remarks to answer while it is returned: those of the return, and those after it."""
        if self.application.status != Status.RETURNED:
            return []
        public = self.application.remarks.filter(is_public=True)
        last = public.exclude(decision=None).order_by("-decision").first()
        return list(public.filter(pk__gte=_first_of(last)) if last else public)

    def remarks_on(self, step: str) -> list[Remark]:
        return [remark for remark in self.remarks if self.step_of(remark.field) == step]

    # -- two windows -------------------------------------------------------------------

    def saved(self, step: str) -> dict[str, Any]:
        """What is kept of one step: answers by key, and what was said to remarks."""
        answers = self.application.answers
        kept = {key: answers[key] for key in self._texts(step) if key in answers}
        said = {answer_name(remark): remark.answer for remark in self.remarks_on(step)}
        return kept | {name: text for name, text in said.items() if text}

    def seen(self, step: str) -> str:
        """A mark of what is kept of one step, by which a stale save is known."""
        return _mark(self.saved(step))

    def typed(self, step: str, data: Any, *, keep: Collection[str] = ()) -> dict[str, Any]:
        """What a window sent for one step; for the keys in `keep` what is saved stands."""
        typed = self.form.typed(data, self._texts(step))
        for remark in self.remarks_on(step):
            name = answer_name(remark)
            typed[name] = str(data.get(name, remark.answer)).strip()[:2000]
        saved = self.saved(step)
        typed |= {key: saved.get(key, "") for key in keep if key in {*self.keys(step), *typed}}
        if step == "terms" and typed.get("licence_accept"):
            typed["licence_sha256"] = str(data.get("licence_sha256", ""))[:64]
        return {key: value for key, value in typed.items() if value not in ("", [], False)}

    def cut(self, step: str, data: Any) -> str:
        """What to tell a person of whose text only the beginning is kept; empty for nobody."""
        labels = {**LABELS, **{extra.key: extra.label for extra in self.extras}}
        names = [f"“{labels[key]}”" for key in self.form.cut(data, self._texts(step))]
        if not names:
            return ""
        return f"Of {' and '.join(names)} only the first {KEPT:,} characters are kept: shorten it."

    def differences(self, step: str, typed: Mapping[str, Any]) -> dict[str, str]:
        """Where another window's text differs: key -> that text, as a person reads it."""
        saved = self.saved(step)
        by_key = {extra.key: extra for extra in self.extras}
        return {
            key: readable(key, saved.get(key, ""), by_key.get(key)) or "(empty)"
            for key in [*self._texts(step), *(answer_name(one) for one in self.remarks_on(step))]
            if typed.get(key, "") != saved.get(key, "")
        }

    # -- what a reader should know -----------------------------------------------------

    @cached_property
    def findings(self) -> list[precheck.Finding]:
        """What the tier's terms of use say of these answers."""
        return precheck.precheck(self.application.tier, self.application.answers)

    def notes_on(self, key: str) -> list[str]:
        """What the terms of use say of one answer."""
        return [finding.text for finding in self.findings if finding.field == key]

    def warnings(self) -> list[tuple[str, str]]:
        """(key, sentence) for what keeps nothing from being submitted, but will be asked about."""
        answers, told = self.application.answers, []
        told += [(one.field, one.text) for one in self.findings if one.weight in _WEIGHED]
        address = str(answers.get("work_email", ""))
        if free_mail.is_free(address):
            told.append(
                (
                    "work_email",
                    f"{address} is an address that anyone can have. The reviewer looks at your "
                    "profile instead; an address of your organisation makes it quicker.",
                )
            )
        if answers.get("commercial") == "yes" and "commercial" not in dict(told):
            told.append(("commercial", "The reviewer reads what your commercial interest is."))
        asked = {extra.key for extra in custom_questions.asked(self.extras, answers)}
        for extra in self.extras:
            if extra.key not in asked and answers.get(extra.key):
                told.append((extra.key, f"“{extra.label}” is not asked any more and is not sent."))
        return told

    def leftovers(self) -> list[tuple[str, str]]:
        """Answers to questions that this form no longer asks: kept, shown, never sent."""
        known = {*self.application.form.labels(), "licence_sha256"}
        left = self.application.answers.items()
        return [(key, readable(key, value)) for key, value in left if key not in known]


def save_step(
    filling: Filling, step: str, data: Any, *, seen: str, keep: Collection[str] = ()
) -> Application:
    """Keep what one window typed on one step, valid or not.

    `seen` is the mark that the window was given. The same text sent twice, as a double click
    does, is no conflict. Raises StaleAnswers when another window saved this step since, and
    TransitionRefused when the application takes no answers any more.
    """
    for _ in range(_TRIES):
        application = filling.application
        typed, saved = filling.typed(step, data, keep=keep), filling.saved(step)
        if _comparable(typed) == _comparable(saved):
            return application
        if not application.is_editable:
            raise TransitionRefused(_as_it_is(application))
        if seen != _mark(saved):
            raise StaleAnswers("another window saved this step; both versions are kept for you")
        try:
            _keep(filling, step, typed)
            return application
        except TransitionRefused:  # another step was saved between reading and writing
            application.refresh_from_db()
            filling = Filling(application, filling.person)
    raise StaleAnswers("another window is saving at this moment; save once more")


@transaction.atomic
def _keep(filling: Filling, step: str, typed: dict[str, Any]) -> None:
    application, by = filling.application, filling.person
    said = {remark.pk: typed.pop(answer_name(remark), "") for remark in filling.remarks_on(step)}
    if said:
        submission.answer_remarks(application, said, by=by)
    replaced = {*filling.keys(step), *(["licence_sha256"] if step == "terms" else [])}
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
    """Judge the answers as they are kept, and send them; both or neither.

    `answers` replace some that are kept, as a licence accepted with the submission does.
    Raises InvalidAnswers with what is missing or wrong, and what save_answers and submit raise.
    """
    lock_user(by)
    application.refresh_from_db(from_queryset=Application.objects.select_for_update(no_key=True))
    if not application.is_editable:
        raise TransitionRefused(_as_it_is(application))
    if seen_version != application.answers_version:
        raise StaleAnswers("this application was changed in another window; read it again")
    kept = application.answers | dict(answers or {})
    filling = Filling(application, by)
    form = filling.judged(kept)
    if form.errors:
        raise InvalidAnswers(form)
    sent = form.sent()
    sent["licence_sha256"] = kept.get("licence_sha256", "")
    for key, found in filling.documents.items():
        sent[key] = [_told(document) for document in found]
    if sent != application.answers:
        submission.save_answers(application, sent, by=by, seen_version=seen_version)
    submission.submit(application, by=by, licence_sha256=str(sent["licence_sha256"]))


def _as_it_is(application: Application) -> str:
    return f"{application.reference} is {Status(application.status).label.lower()}"


def answer_name(remark: Remark) -> str:
    """The name under which a page sends what its reader says to a remark."""
    return f"answer_{remark.pk}"


def _told(document: Attachment) -> dict[str, Any]:
    """What a snapshot keeps of a document: enough to know it again."""
    return {"id": str(document.public_id), "name": document.name, "sha256": document.sha256}


def _first_of(remark: Remark) -> int:
    first = remark.decision.remarks.order_by("pk").first() if remark.decision else None
    return first.pk if first else remark.pk


def _comparable(kept: Mapping[str, Any]) -> str:
    return json.dumps(kept, sort_keys=True, default=str)


def _mark(kept: Mapping[str, Any]) -> str:
    return hashlib.sha256(_comparable(kept).encode()).hexdigest()[:16]
