"""The actions of audit events: their grammar, and those of accounts."""

from enum import StrEnum


class EventTag(StrEnum):
    """The action of an audit event, which sealed rows contain: a value never changes.

    Each app has its own subclass. A value is `<object>.<past participle>`, such as
    `token.revoked`. Two objects have other verbs: an event of an application has the infinitive
    of its transition or action (`application.submit`), and one of a report the `Deed` of staff
    (`report.issue`). A member is named by its value in capitals, with `_` for the dot.
    """


class AccountsEvent(EventTag):
    """Events of people, applications, grants and tiers, and of the audit trail itself."""

    @classmethod
    def of_application(cls, action: str) -> "AccountsEvent":
        """The tag of a transition or action of an application. Raises ValueError for another."""
        return cls(f"application.{action}")

    ACCOUNT_SIGNED_UP = "account.signed_up"
    ACCOUNT_SIGNED_IN = "account.signed_in"
    ACCOUNT_SIGNED_OUT = "account.signed_out"
    ACCOUNT_SIGN_IN_FAILED = "account.sign_in_failed"
    ACCOUNT_PASSWORD_CHANGED = "account.password_changed"
    ACCOUNT_PASSWORD_SET = "account.password_set"
    ACCOUNT_PASSWORD_RESET = "account.password_reset"
    ACCOUNT_PASSWORD_SHOWN = "account.password_shown"
    ACCOUNT_ADDRESS_ADDED = "account.address_added"
    ACCOUNT_ADDRESS_CONFIRMED = "account.address_confirmed"
    ACCOUNT_ADDRESS_CHANGED = "account.address_changed"
    ACCOUNT_ADDRESS_REMOVED = "account.address_removed"
    ACCOUNT_LINKED = "account.linked"
    ACCOUNT_UNLINKED = "account.unlinked"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_ERASED = "account.erased"

    FACTOR_ADDED = "factor.added"
    FACTOR_REMOVED = "factor.removed"
    FACTOR_FAILED = "factor.failed"

    TOKEN_MADE = "token.made"
    TOKEN_FIRST_USED = "token.first_used"
    TOKEN_REVOKED = "token.revoked"

    APPLICATION_START = "application.start"
    APPLICATION_ADOPT = "application.adopt"
    APPLICATION_DOCUMENT_ADDED = "application.document_added"
    APPLICATION_DOCUMENT_REMOVED = "application.document_removed"
    APPLICATION_DOCUMENT_READ = "application.document_read"
    APPLICATION_SUBMIT = "application.submit"
    APPLICATION_RESUBMIT = "application.resubmit"
    APPLICATION_CLAIM = "application.claim"
    APPLICATION_ASSIGN = "application.assign"
    APPLICATION_RELEASE = "application.release"
    APPLICATION_CONFLICT = "application.conflict"
    APPLICATION_REMIND = "application.remind"
    APPLICATION_REMARK = "application.remark"
    APPLICATION_ASK = "application.ask"
    APPLICATION_ANSWER = "application.answer"
    APPLICATION_SETTLE = "application.settle"
    APPLICATION_MAIL_AGAIN = "application.mail_again"
    APPLICATION_RETURN = "application.return"
    APPLICATION_APPROVE_FIRST = "application.approve_first"
    APPLICATION_APPROVE = "application.approve"
    APPLICATION_REJECT = "application.reject"
    APPLICATION_REOPEN = "application.reopen"
    APPLICATION_WITHDRAW = "application.withdraw"
    APPLICATION_LAPSE = "application.lapse"
    APPLICATION_REDUCED = "application.reduced"
    APPLICATION_EXPORT = "application.export"

    # Recorded only when the action is refused; done, it has a tag above.
    APPLICATION_RELEASE_IDLE = "application.release_idle"
    APPLICATION_DECLARE_CONFLICT = "application.declare_conflict"
    APPLICATION_ANSWER_QUESTION = "application.answer_question"
    APPLICATION_SEND_MAIL_AGAIN = "application.send_mail_again"
    APPLICATION_RETURN_FOR_CHANGES = "application.return_for_changes"

    LICENCE_ACCEPTED = "licence.accepted"
    LICENCE_NAMED = "licence.named"
    LICENCE_VERSION_MADE = "licence.version_made"

    GRANT_GIVEN = "grant.given"
    GRANT_EXPIRED = "grant.expired"
    GRANT_SUSPENDED = "grant.suspended"
    GRANT_RESUMED = "grant.resumed"
    GRANT_REVOKED = "grant.revoked"
    GRANT_SURRENDERED = "grant.surrendered"

    TIER_MADE = "tier.made"
    TIER_CHANGED = "tier.changed"
    TIER_QUESTIONS_CHANGED = "tier.questions_changed"
    TIER_RETIRED = "tier.retired"
    TIER_UNRETIRED = "tier.unretired"

    ROLE_ASSIGNED = "role.assigned"
    ROLE_WITHDRAWN = "role.withdrawn"

    CHANGE_REQUEST_OPENED = "change_request.opened"
    CHANGE_REQUEST_CONFIRMED = "change_request.confirmed"
    CHANGE_REQUEST_DECLINED = "change_request.declined"
    CHANGE_REQUEST_WITHDRAWN = "change_request.withdrawn"
    CHANGE_REQUEST_EXPIRED = "change_request.expired"
    CHANGE_REQUEST_SUPERSEDED = "change_request.superseded"

    REASON_TEXT_CHANGED = "reason_text.changed"

    AUDIT_HEAD_SIGNED = "audit.head_signed"
    AUDIT_ROLLBACK_ACCEPTED = "audit.rollback_accepted"

    AUDIT_KEY_COMPROMISED = "audit_key.compromised"
