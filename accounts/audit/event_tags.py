"""The actions of audit events: their grammar, and those of accounts."""

from enum import StrEnum
from typing import Self


class EventTag(StrEnum):
    """The action of an audit event. Sealed rows contain it, so a value never changes.

    Each app has its own subclass. A value is `<object>.<past participle>`, such as
    `token.revoked`, with two exceptions: most events of applications use the infinitive
    of the transition or action (`application.submit`), and those of reports use the `Deed` of staff
    (`report.issue`). A member's name is its value in capitals, with `_` for the dot.

    Each member has a sentence, in which `{by}` is the actor and `{it}` is the object. The details
    `from` and `to` are appended to it.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> Self:
        tag = str.__new__(cls, value)
        tag._value_, tag.sentence = value, sentence
        return tag

    @classmethod
    def named(cls, action: str) -> "EventTag | None":
        """Return the tag with this value from any app; None if there is none."""
        members = (tag for tags in cls.__subclasses__() for tag in tags)
        return next((tag for tag in members if tag == action), None)

    @property
    def label(self) -> str:
        """The value in words, such as `Token: first used`."""
        return self.capitalize().replace(".", ": ").replace("_", " ")


class AccountsEvent(EventTag):
    """Events of people, applications, grants and tiers, and of the audit trail itself."""

    @classmethod
    def of_application(cls, action: str) -> "AccountsEvent":
        """Return the tag of an application's transition or action. Raises ValueError."""
        return cls(f"application.{action}")

    ACCOUNT_SIGNED_UP = "account.signed_up", "{by} signed up"
    ACCOUNT_SIGNED_IN = "account.signed_in", "{by} signed in"
    ACCOUNT_SIGNED_OUT = "account.signed_out", "{by} signed out"
    ACCOUNT_SIGN_IN_FAILED = "account.sign_in_failed", "Somebody failed to sign in to {it}"
    ACCOUNT_PASSWORD_CHANGED = "account.password_changed", "{by} changed the password of {it}"
    ACCOUNT_PASSWORD_SET = "account.password_set", "{by} set the password of {it}"
    ACCOUNT_PASSWORD_RESET = "account.password_reset", "{by} reset the password of {it}"
    ACCOUNT_PASSWORD_SHOWN = (
        "account.password_shown",
        "The portal showed the first password of {it}",
    )
    ACCOUNT_ADDRESS_ADDED = "account.address_added", "{by} added an address to {it}"
    ACCOUNT_ADDRESS_CONFIRMED = "account.address_confirmed", "{by} confirmed an address of {it}"
    ACCOUNT_ADDRESS_CHANGED = "account.address_changed", "{by} changed the address of {it}"
    ACCOUNT_ADDRESS_REMOVED = "account.address_removed", "{by} removed an address of {it}"
    ACCOUNT_LINKED = "account.linked", "{by} linked another sign-in to {it}"
    ACCOUNT_UNLINKED = "account.unlinked", "{by} unlinked another sign-in from {it}"
    ACCOUNT_CREATED = "account.created", "{by} created {it}"
    ACCOUNT_CHANGED = "account.changed", "{by} changed {it}"
    ACCOUNT_ERASED = "account.erased", "{by} erased {it}"

    FACTOR_ADDED = "factor.added", "{by} added a second factor to {it}"
    FACTOR_REMOVED = "factor.removed", "{by} removed a second factor from {it}"
    FACTOR_FAILED = "factor.failed", "{by} gave a wrong second factor for {it}"

    TOKEN_MADE = "token.made", "{by} made {it}"
    TOKEN_FIRST_USED = "token.first_used", "{by} used {it} for the first time"
    TOKEN_REVOKED = "token.revoked", "{by} revoked {it}"

    APPLICATION_START = "application.start", "{by} started {it}"
    APPLICATION_ADOPT = "application.adopt", "{by} took over an earlier draft as {it}"
    APPLICATION_DOCUMENT_ADDED = "application.document_added", "{by} added a document to {it}"
    APPLICATION_DOCUMENT_REMOVED = (
        "application.document_removed",
        "{by} removed a document from {it}",
    )
    APPLICATION_DOCUMENT_READ = "application.document_read", "{by} read a document of {it}"
    APPLICATION_SUBMIT = "application.submit", "{by} submitted {it}"
    APPLICATION_RESUBMIT = "application.resubmit", "{by} submitted {it} again"
    APPLICATION_CLAIM = "application.claim", "{by} claimed {it}"
    APPLICATION_ASSIGN = "application.assign", "{by} assigned {it}"
    APPLICATION_RELEASE = "application.release", "{by} released {it}"
    APPLICATION_CONFLICT = "application.conflict", "{by} declared a conflict of interest in {it}"
    APPLICATION_REMIND = "application.remind", "{by} reminded the reviewer of {it}"
    APPLICATION_REMARK = "application.remark", "{by} remarked on {it}"
    APPLICATION_ASK = "application.ask", "{by} asked a question about {it}"
    APPLICATION_ANSWER = "application.answer", "{by} answered a question about {it}"
    APPLICATION_SETTLE = "application.settle", "{by} settled a remark on {it}"
    APPLICATION_MAIL_AGAIN = "application.mail_again", "{by} sent a mail about {it} again"
    APPLICATION_DECIDE = "application.decide", "{by} decided {it}; the verdict takes effect later"
    APPLICATION_UNDO = "application.undo", "{by} undid the decision on {it}"
    APPLICATION_RETURN = "application.return", "{by} returned {it} for changes"
    APPLICATION_APPROVE_FIRST = "application.approve_first", "{by} gave the first approval of {it}"
    APPLICATION_APPROVE = "application.approve", "{by} approved {it}"
    APPLICATION_REJECT = "application.reject", "{by} rejected {it}"
    APPLICATION_REOPEN = "application.reopen", "{by} reopened {it}"
    APPLICATION_APPEAL = "application.appeal", "{by} appealed a rejection with {it}"
    APPLICATION_WITHDRAW = "application.withdraw", "{by} withdrew {it}"
    APPLICATION_DELETE = "application.delete", "{by} deleted the draft {it}"
    APPLICATION_LAPSE = "application.lapse", "{by} let {it} lapse"
    APPLICATION_REDUCED = "application.reduced", "{by} erased the old answers of {it}"
    APPLICATION_EXPORT = "application.export", "{by} exported the list of applications"

    # Recorded only if the action is refused; success is recorded under a tag above.
    APPLICATION_RELEASE_IDLE = (
        "application.release_idle",
        "{by} tried to release {it}, which was idle",
    )
    APPLICATION_DECLARE_CONFLICT = (
        "application.declare_conflict",
        "{by} tried to declare a conflict of interest in {it}",
    )
    APPLICATION_ANSWER_QUESTION = (
        "application.answer_question",
        "{by} tried to answer a question about {it}",
    )
    APPLICATION_SEND_MAIL_AGAIN = (
        "application.send_mail_again",
        "{by} tried to send a mail about {it} again",
    )
    APPLICATION_RETURN_FOR_CHANGES = (
        "application.return_for_changes",
        "{by} tried to return {it} for changes",
    )

    LICENCE_ACCEPTED = "licence.accepted", "{by} accepted the licence for {it}"
    LICENCE_NAMED = "licence.named", "{by} named {it}"
    LICENCE_VERSION_MADE = "licence.version_made", "{by} made {it}"

    GRANT_GIVEN = "grant.given", "{by} gave {it}"
    GRANT_EXPIRED = "grant.expired", "{it} expired"
    GRANT_SUSPENDED = "grant.suspended", "{by} suspended {it}"
    GRANT_RESUMED = "grant.resumed", "{by} resumed {it}"
    GRANT_REVOKED = "grant.revoked", "{by} revoked {it}"
    GRANT_SURRENDERED = "grant.surrendered", "{by} gave {it} back"

    TIER_MADE = "tier.made", "{by} made {it}"
    TIER_CHANGED = "tier.changed", "{by} changed {it}"
    TIER_QUESTIONS_CHANGED = "tier.questions_changed", "{by} changed the questions of {it}"
    TIER_RETIRED = "tier.retired", "{by} retired {it}"
    TIER_UNRETIRED = "tier.unretired", "{by} put {it} back into use"

    ROLE_ASSIGNED = "role.assigned", "{by} gave a role to {it}"
    ROLE_WITHDRAWN = "role.withdrawn", "{by} withdrew a role from {it}"

    CHANGE_REQUEST_OPENED = "change_request.opened", "{by} opened {it}"
    CHANGE_REQUEST_CONFIRMED = "change_request.confirmed", "{by} confirmed {it}"
    CHANGE_REQUEST_DECLINED = "change_request.declined", "{by} declined {it}"
    CHANGE_REQUEST_WITHDRAWN = "change_request.withdrawn", "{by} withdrew {it}"
    CHANGE_REQUEST_EXPIRED = "change_request.expired", "{it} expired"
    CHANGE_REQUEST_SUPERSEDED = "change_request.superseded", "{it} was superseded"

    REASON_TEXT_CHANGED = "reason_text.changed", "{by} changed {it}"

    AUDIT_HEAD_SIGNED = "audit.head_signed", "{by} signed a head of the audit trail"
    AUDIT_ROLLBACK_ACCEPTED = (
        "audit.rollback_accepted",
        "{by} accepted a rollback of the audit trail",
    )

    AUDIT_KEY_COMPROMISED = (
        "audit_key.compromised",
        "{by} marked a key of the audit trail as compromised",
    )
