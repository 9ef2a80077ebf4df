"""Deadlines, periods and limits of the review (docs/operating.md#environment)."""

from portal.settings import environment

#: The calendar of public holidays: empty (weekends only), `DE`, `US-CA`, …
WORK_CALENDAR = environment.work_calendar("WORK_CALENDAR")
#: Working days from submission to the first decision, and to the alarm on the health page.
ANSWER_DAYS = environment.whole("ANSWER_DAYS", 5, at_least=1, at_most=60)
ANSWER_ALARM_DAYS = environment.whole("ANSWER_ALARM_DAYS", 10, at_least=1, at_most=120)
#: Seconds from a decision to its effect, during which its reviewer can undo it.
DECISION_UNDO_SECONDS = environment.whole("DECISION_UNDO_SECONDS", 60, at_most=3600)
#: Working days without activity after which a claim is released.
IDLE_CLAIM_DAYS = environment.whole("IDLE_CLAIM_DAYS", 2, at_least=1, at_most=30)
#: The hour (UTC) from which reviewers get their daily digest.
DIGEST_HOUR = environment.whole("DIGEST_HOUR", 6, at_most=23)
#: Days within which a rejection can be appealed, and working days to decide the appeal.
APPEAL_WITHIN_DAYS = environment.whole("APPEAL_WITHIN_DAYS", 30, at_least=1, at_most=365)
APPEAL_ANSWER_DAYS = environment.whole("APPEAL_ANSWER_DAYS", 10, at_least=1, at_most=60)
#: Days without activity after which a returned application and a draft lapse.
RETURN_SILENCE_DAYS = environment.whole("RETURN_SILENCE_DAYS", 30, at_least=7, at_most=365)
DRAFT_SILENCE_DAYS = environment.whole("DRAFT_SILENCE_DAYS", 90, at_least=14, at_most=730)
#: Days for which a draft keeps the questions with which it was started.
DRAFT_FORM_DAYS = environment.whole("DRAFT_FORM_DAYS", 30, at_least=1, at_most=365)
OPEN_DRAFTS = environment.whole("OPEN_DRAFTS", 3, at_least=1, at_most=50)
SUBMISSIONS_A_DAY = environment.whole("SUBMISSIONS_A_DAY", 3, at_least=1, at_most=100)
#: Request the page that an applicant gives as a profile.
LOOK_AT_PROFILES = environment.flag("LOOK_AT_PROFILES", default=True)
