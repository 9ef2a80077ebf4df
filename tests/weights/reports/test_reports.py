"""Reports from the public: submitted without an account, triaged, and acted on."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.rate_limits.buckets import REPORTS
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue.models import Checkpoint
from weights.known_issues import services as known_issues
from weights.known_issues.models import KnownIssue
from weights.reports import permissions, submission, triage
from weights.reports.choices import MAX_TEXT_LENGTH, MIN_TEXT_LENGTH, Kind
from weights.reports.models import Report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TEXT = "The weights stand on a public file share: see https://share.example.org/opt <b>now</b>."


@pytest.fixture
def checkpoint(gated_tier: Tier) -> Checkpoint:
    return factories.published("acme/weights", gated_tier).checkpoint


@pytest.fixture
def leak(checkpoint: Checkpoint, lead_reviewer: User) -> Report:
    return submission.submit("leak", TEXT, checkpoint=checkpoint, contact="finder@example.org")


def send(client: Client, **facts: str) -> Any:
    said = {"kind": "leak", "text": TEXT, "checkpoint": "", "path": "", "contact": "", **facts}
    return client.post("/report/", said)


def mails(kind: str) -> list[OutgoingMail]:
    return list(OutgoingMail.objects.filter(kind=kind).order_by("pk"))


# -- submission -------------------------------------------------------------------------------


def test_a_visitor_reports_and_gets_a_reference_and_a_page(
    client: Client, checkpoint: Checkpoint, lead_reviewer: User
) -> None:
    answer = send(client, checkpoint="acme/weights", path="config.json")
    report = Report.objects.get()
    assert (report.checkpoint, report.path, report.state) == (checkpoint, "config.json", "new")
    assert answer["Location"] == f"/report/{report.public_id}/"
    page = client.get(answer["Location"])
    assert report.reference in page.text
    assert page["X-Robots-Tag"] == "noindex"
    assert "no-store" in page["Cache-Control"]
    assert "share.example.org" not in page.text
    assert mails("report_received") == []
    (told,) = mails("report_new")
    assert told.to == lead_reviewer.email
    assert TEXT not in told.text


def test_a_receipt_is_mailed_if_an_address_was_entered_and_repeats_nothing(client: Client) -> None:
    send(client, contact="finder@example.org")
    (mail,) = mails("report_received")
    report = Report.objects.get()
    assert mail.to == "finder@example.org"
    assert str(report.public_id) in mail.text
    assert "share.example.org" not in mail.text


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"text": "x" * (MIN_TEXT_LENGTH - 1)}, "at least", id="too short"),
        pytest.param({"text": "x" * (MAX_TEXT_LENGTH + 1)}, "at most", id="too long"),
        pytest.param({"kind": "spam"}, "valid choice", id="unknown kind"),
        pytest.param({"website": "https://x.example"}, "Leave this field empty", id="a robot"),
        pytest.param({"checkpoint": "acme/none"}, "no checkpoint with this name", id="no such"),
        pytest.param({"checkpoint": "acme/secret"}, "no checkpoint with this name", id="private"),
        pytest.param({"checkpoint": "acme/a\0b"}, "Null characters", id="no name"),
        pytest.param({"checkpoint": "acme/weights", "path": "none"}, "no file", id="no such file"),
        pytest.param({"kind": "bad_file"}, "Enter the checkpoint", id="a bad file of nothing"),
        pytest.param({"contact": "nobody"}, "valid email", id="no address"),
    ],
)
def test_a_report_that_cannot_be_investigated_is_refused_at_its_field(
    facts: dict[str, str], said: str, client: Client, checkpoint: Checkpoint
) -> None:
    factories.published("acme/secret", private=True)
    answer = send(client, **facts)
    assert answer.status_code == 422
    assert said in answer.text
    assert not Report.objects.exists()


def test_one_address_sends_only_so_many_reports_an_hour(client: Client) -> None:
    codes = [send(client).status_code for _ in range(REPORTS.quota + 1)]
    assert codes == [302] * REPORTS.quota + [429]
    assert client.get("/report/").status_code == 200


def test_a_link_from_a_checkpoints_page_fills_in_the_checkpoint(
    client: Client, checkpoint: Checkpoint
) -> None:
    assert "/report/?checkpoint=acme/weights" in client.get("/acme/weights").text
    assert 'value="acme/weights"' in client.get("/report/?checkpoint=acme/weights").text


def test_an_address_is_deleted_a_year_after_its_report_was_closed(
    leak: Report, lead_reviewer: User
) -> None:
    triage.dismiss(leak, "It is the open one.", by=lead_reviewer)
    assert submission.forget_contacts(timezone.now() + timedelta(days=364)) == 0
    assert submission.forget_contacts(timezone.now() + timedelta(days=366)) == 1
    leak.refresh_from_db()
    assert (leak.contact, leak.text) == ("", TEXT)


# -- who reads and triages --------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_its_own_triagers(kind: Kind, checkpoint: Checkpoint) -> None:
    report = submission.submit(kind, TEXT, checkpoint=checkpoint)
    wanted = Role.LEAD_REVIEWER if kind in {"misuse", "leak"} else Role.RELEASE_OWNER
    elsewhere = factories.tier("other")
    for role in Role:
        person = factories.staff(factories.word(), role)
        assert permissions.may_triage(person, report) == (role == wanted)
        reads = permissions.readable_by(person).filter(pk=report.pk).exists()
        assert reads == (role in {wanted, Role.AUDITOR})
    stranger = factories.staff(factories.word(), wanted, elsewhere)
    assert not permissions.may_triage(stranger, report)
    assert not permissions.readable_by(stranger).exists()
    assert permissions.may_triage(
        factories.staff(factories.word(), wanted, checkpoint.tier), report
    )


def test_a_report_without_a_checkpoint_is_for_everybody_in_the_role(gated_tier: Tier) -> None:
    report = submission.submit("leak", TEXT)
    person = factories.staff("lead-of-one", Role.LEAD_REVIEWER, gated_tier)
    assert permissions.may_triage(person, report)
    assert permissions.readable_by(person).get() == report


def test_nobody_else_may_act_on_a_report(leak: Report, release_owner: User, reviewer: User) -> None:
    for person in (release_owner, reviewer):
        with pytest.raises(NotAllowed):
            triage.note(leak, "seen", by=person)
        with pytest.raises(NotAllowed):
            triage.dismiss(leak, "no", by=person)
    assert not leak.entries.exists()


# -- what it leads to ---------------------------------------------------------------------------


def test_a_leak_leads_to_a_suspension_and_is_answered_once(
    leak: Report, applicant: User, lead_reviewer: User, client: Client
) -> None:
    grant = factories.grant(applicant, leak.checkpoint.tier)  # type: ignore[union-attr]
    triage.assign(leak, lead_reviewer, by=lead_reviewer)
    triage.note(leak, "the share's name is the holder's", by=lead_reviewer)
    triage.suspend(leak, grant, "We look into a leak.", by=lead_reviewer)
    triage.ask_recall(leak, "everything", by=lead_reviewer)
    grant.refresh_from_db()
    leak.refresh_from_db()
    assert (grant.state, leak.state) == ("suspended", "acted")
    assert AuditEvent.objects.about(grant).latest("pk").details["code"] == "leak"
    assert [mail.to for mail in mails("report_closed")] == ["finder@example.org"]
    page = client.get(leak.get_absolute_url()).text
    assert "Access was suspended" in page
    for secret in (applicant.username, lead_reviewer.email, "the share's name"):
        assert secret not in page
    done = AuditEvent.objects.about(leak).values_list("action", flat=True)
    assert list(done) == [
        "report.made",
        "report.assigned",
        "report.noted",
        "report.suspended",
        "report.recall",
    ]


def test_a_dismissed_report_is_closed_for_good(leak: Report, lead_reviewer: User) -> None:
    with pytest.raises(InvalidValue, match="enter an answer"):
        triage.dismiss(leak, " ", by=lead_reviewer)
    triage.dismiss(leak, "These are the openly published ones.", by=lead_reviewer)
    assert "openly published" in mails("report_closed")[0].text
    with pytest.raises(TransitionRefused):
        triage.assign(leak, lead_reviewer, by=lead_reviewer)
    with pytest.raises(TransitionRefused):
        triage.publish(
            leak, "issue", title="It leaked away", text="x" * 30, by=lead_reviewer, checkpoint=None
        )
    assert not KnownIssue.objects.exists()


def test_a_bad_file_leads_to_a_known_issue_that_is_resolved_and_a_recall(
    client: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    report = submission.submit("bad_file", TEXT, checkpoint=checkpoint, path="config.json")
    issue = triage.publish(
        report,
        "issue",
        title="config.json names a wrong width",
        text="Use 2048. <script>alert(1)</script>",
        by=release_owner,
        checkpoint=None,
    )
    triage.ask_recall(report, "config.json is wrong", by=release_owner)
    assert [mail.to for mail in mails("recall_asked")] == [release_owner.email]
    page = client.get("/acme/weights").text
    assert "config.json names a wrong width" in page
    assert "<script>alert" not in page
    assert issue.title in client.get("/findings/").text
    assert issue.title in client.get(report.get_absolute_url()).text
    (told,) = ApiClient().get("/issues?repo=acme/weights")["issues"]
    assert (told["title"], told["path"], told["resolved_at"]) == (issue.title, "config.json", None)
    known_issues.resolve(issue, by=release_owner)
    assert ApiClient().get("/issues")["issues"][0]["resolved_at"]
    known_issues.withdraw(issue, by=release_owner)
    assert ApiClient().get("/issues")["issues"] == []
    assert issue.title not in client.get("/acme/weights").text


def test_a_triager_of_a_leak_suspends_access_only_in_their_own_tiers(
    applicant: User, gated_tier: Tier
) -> None:
    report = submission.submit("leak", TEXT)
    grant = factories.grant(applicant, gated_tier)
    elsewhere = factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("other"))
    with pytest.raises(NotAllowed):
        triage.suspend(report, grant, "We look into it.", by=elsewhere)
    assert Grant.objects.get(pk=grant.pk).is_live
    assert Report.objects.get().state == "new"


def test_each_requested_recall_reaches_the_owners_with_links_that_they_may_open(
    client: Client, leak: Report, lead_reviewer: User, release_owner: User
) -> None:
    for reason in ("shard 3 stands on a share", "so does shard 4"):
        triage.ask_recall(leak, reason, by=lead_reviewer)
    first, second = mails("recall_asked")
    assert "shard 3 stands on a share" in first.text
    assert "so does shard 4" in second.text
    client.force_login(release_owner)
    told = [line.strip() for line in second.text.splitlines() if "/admin/" in line]
    assert [client.get(urlsplit(one).path).status_code for one in told] == [200]
    (page,) = told
    assert "acme/weights" in client.get(page.partition("8000")[2]).text


def test_a_recall_of_a_bad_file_names_the_report_to_the_owner_who_reads_it(
    checkpoint: Checkpoint, release_owner: User
) -> None:
    report = submission.submit("bad_file", TEXT, checkpoint=checkpoint, path="config.json")
    triage.ask_recall(report, "config.json is wrong", by=release_owner)
    assert f"/admin/weights/report/{report.pk}/change/" in mails("recall_asked")[0].text


# -- the desk -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_lead_triages_in_the_admin_where_urls_are_not_links(
    client: Client, leak: Report, lead_reviewer: User, applicant: User
) -> None:
    grant = factories.grant(applicant, leak.checkpoint.tier)  # type: ignore[union-attr]
    client.force_login(lead_reviewer)
    page = reverse("admin:weights_report_change", args=[leak.pk])
    shown = client.get(page).text
    assert "https://share.example.org/opt &lt;b&gt;now&lt;/b&gt;" in shown
    assert 'href="https://share' not in shown
    assert "closelink" not in shown  # it would read as closing the report
    said = {"move": "assign", "assign-to": lead_reviewer.pk}
    assert client.post(page, said).status_code == 302
    refused = client.post(page, {"move": "note", "note-text": ""})
    assert "This field is required" in refused.text
    suspended = client.post(
        page,
        {"move": "suspend", "suspend-grant": grant.pk, "suspend-reason": "We look into a leak."},
    )
    assert "No address of the store is known to be alive." in suspended.text
    leak.refresh_from_db()
    assert leak.state == "acted"
    again = client.post(page, {"move": "dismiss", "dismiss-answer": "No."}, follow=True)
    assert "Nothing was done" in again.text


def test_the_desk_offers_only_possible_actions(
    leak: Report, lead_reviewer: User, release_owner: User, applicant: User
) -> None:
    tier = leak.checkpoint.tier  # type: ignore[union-attr]
    always = {"note", "assign", "dismiss", "ask_recall", "publish"}
    assert triage.available_actions(leak, lead_reviewer) == always
    factories.grant(applicant, tier)
    assert triage.available_actions(leak, lead_reviewer) == always | {"suspend"}
    assert triage.available_actions(leak, release_owner) == set()
    bad_file = submission.submit("bad_file", TEXT, checkpoint=leak.checkpoint)
    assert triage.available_actions(bad_file, release_owner) == always
    triage.dismiss(leak, "It was another model.", by=lead_reviewer)
    assert triage.available_actions(leak, lead_reviewer) == {"note"}


@pytest.mark.slow
def test_the_desk_shows_nothing_of_other_tiers(
    client: Client, leak: Report, applicant: User, gated_tier: Tier, release_owner: User
) -> None:
    factories.grant(applicant, gated_tier)
    secret = factories.published("acme/secret", gated_tier, private=True).checkpoint
    said = {"title": "A hidden finding", "text": "x" * 30, "checkpoint": secret}
    hidden = submission.submit("finding", TEXT, checkpoint=secret)
    issue = triage.publish(hidden, "finding", by=release_owner, **said)  # type: ignore[arg-type]
    elsewhere = factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("other"))
    keeper = factories.staff("keeper", Role.LEAD_REVIEWER, gated_tier)
    report = submission.submit("misuse", TEXT)
    page = reverse("admin:weights_report_change", args=[report.pk])
    issues = reverse("admin:weights_knownissue_changelist")
    client.force_login(elsewhere)
    shown = client.get(page).text
    assert "Suspend access" not in shown  # nobody has access to their tiers
    assert applicant.username not in shown
    assert "acme/secret" not in shown + client.get(issues).text
    assert client.get(f"{issues}{issue.pk}/change/").status_code == 404
    client.force_login(keeper)
    assert applicant.username in client.get(page).text
    assert "A hidden finding" in client.get(issues).text


def test_others_find_no_such_report(client: Client, leak: Report, release_owner: User) -> None:
    client.force_login(release_owner)
    page = reverse("admin:weights_report_change", args=[leak.pk])
    assert client.get(page).status_code == 404
    assert leak.reference not in client.get(reverse("admin:weights_report_changelist")).text
    assert client.post(page, {"move": "dismiss", "dismiss-answer": "No."}).status_code == 404
    leak.refresh_from_db()
    assert leak.state == "new"


def test_an_auditor_reads_and_changes_nothing(client: Client, leak: Report, auditor: User) -> None:
    client.force_login(auditor)
    page = reverse("admin:weights_report_change", args=[leak.pk])
    shown = client.get(page)
    assert "share.example.org" in shown.text
    assert "Close without action" not in shown.text
    assert client.post(page, {"move": "dismiss", "dismiss-answer": "No."}).status_code == 403
