"""The page of an application: events and actions, for the applicant only."""

import pytest
from django.test import Client

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import decisions
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import ADDRESS, PLAN, FormFiller
from tests.support import factories

pytestmark = pytest.mark.one_database


def test_its_page_shows_its_history_without_internal_notes(
    signed_in: Client, gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    decisions.reject(
        application,
        by=reviewer,
        reasons=["commercial_use"],
        note="The results feed a paid product, it seems.",
        internal_note="Known from an earlier case",
    )
    page = signed_in.get(f"/applications/{application.public_id}/").content.decode()
    assert "It was rejected" in page
    assert "The licence excludes commercial use" in page
    assert "You may apply again after 30 days" in page
    assert "The results feed a paid product" in page
    assert "Known from an earlier case" not in page
    assert reviewer.email not in page


@pytest.mark.slow
def test_a_returned_application_is_changed_and_submitted_again(
    filler: FormFiller, reviewer: User
) -> None:
    filler.fill_in()
    filler.submit()
    application = filler.application
    decisions.return_for_changes(
        application,
        by=reviewer,
        reasons=["incomplete"],
        note="Name the cluster.",
        remarks={"storage_plan": "Which cluster?"},
    )
    [remark] = application.remarks.all()
    assert filler.client.get(ADDRESS)["Location"] == filler.url("plan")
    assert "Which cluster?" in filler.page("plan")
    answers = {f"answer_{remark.pk}": "The group's own, in Oslo."}
    filler.save("plan", storage_plan=PLAN + "It is the group's cluster.", **answers)
    review = filler.page("review")
    assert "It is the group" in review[review.index("<ins>") : review.rindex("</ins>")]
    assert "The group&#x27;s own, in Oslo." in review
    filler.submit()
    application.refresh_from_db()
    assert application.status == Status.SUBMITTED
    assert application.snapshots.count() == 2
    remark.refresh_from_db()
    assert remark.answer == "The group's own, in Oslo."
    assert remark.answered_at is not None


@pytest.mark.slow
def test_an_applicant_withdraws(signed_in: Client, gated_tier: Tier, applicant: User) -> None:
    application = factories.submitted(applicant, gated_tier)
    address = f"/applications/{application.public_id}/withdraw/"
    assert signed_in.get(address).status_code == 405
    signed_in.post(address, {"reason": "Moved to another project"})
    page = signed_in.post(
        address, follow=True
    ).content.decode()  # a second time: a message, not an error
    assert "cannot withdraw from there" in page
    assert Application.objects.get().status == Status.WITHDRAWN


@pytest.mark.parametrize("place", ["", "withdraw/"])
def test_another_persons_application_is_404(
    client: Client, gated_tier: Tier, applicant: User, other_person: User, place: str
) -> None:
    application = factories.submitted(applicant, gated_tier)
    client.force_login(other_person)
    address = f"/applications/{application.public_id}/{place}"
    assert (client.post(address) if place else client.get(address)).status_code == 404


def test_the_list_says_what_will_be_there(signed_in: Client, gated_tier: Tier) -> None:
    page = signed_in.get("/applications/").content.decode()
    assert "You have no applications yet" in page
    assert ADDRESS in page


@pytest.mark.parametrize("address", ["/applications/", "/settings/tokens/", "/access/", ADDRESS])
def test_personal_pages_are_not_cached(signed_in: Client, gated_tier: Tier, address: str) -> None:
    assert signed_in.get(address)["Cache-Control"] == "private, no-store"
