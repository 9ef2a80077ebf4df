"""Social sign-in is enabled by its keys, and never matches an account only by address."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from accounts.mail.models import OutgoingMail
from accounts.users import orcid
from accounts.users.models import User
from portal.settings import environment
from tests.support import factories
from tests.support.http.visitor import Visitor
from tests.support.servers import live
from tests.support.servers.live import Portal
from tests.support.servers.provider import CLIENT, SECRET, Provider, provider
from weights.storage.folder_store import FileStorage

pytestmark = pytest.mark.one_database

EMAIL = {"email": "ada@example.org", "primary": True, "verified": True}
ADA = {"id": 1815, "login": "ada", "name": "Ada Lovelace"}


@pytest.fixture(scope="module")
def _fake() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def _portal(
    _collected_static: None, _fake: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    """A portal with the keys of all three providers; a fake serves GitHub and ORCID."""
    keys = {
        f"{name}_CLIENT_{kind}": value
        for name in ("ORCID", "GITHUB", "GOOGLE")
        for kind, value in (("ID", CLIENT), ("SECRET", SECRET))
    }
    urls = {"ORCID_URL": _fake.url, "GITHUB_URL": _fake.url}
    folder = tmp_path_factory.mktemp("social")
    FileStorage(folder / "blobs").create()
    storage = f"file://{folder}/blobs"
    with live.portal(folder, storage, worker=False, settings=keys | urls) as running:
        yield running


@pytest.fixture
def fake(_fake: Provider) -> Provider:
    """The fake provider, reset for each test."""
    vars(_fake).update(vars(Provider(_fake.url)))
    return _fake


@pytest.fixture
def portal(transactional_db: None, _portal: Portal) -> Portal:
    """The web server of this module, with an empty database for each test."""
    return _portal


def sign_in_with(portal: Portal, name: str) -> Visitor:
    """Sign in with a provider, as a browser without JavaScript would."""
    visitor = Visitor(portal.url)
    page = visitor.visit("/accounts/login/")
    assert f"Sign in with {name}" in page
    visitor.visit(f"/accounts/{name.lower()}/login/")
    visitor.submit(f"Go to {name}")
    return visitor


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        *("orcid/login/", "github/login/", "google/login/", "github/login/callback/?code=x"),
        *("3rdparty/", "3rdparty/signup/", "3rdparty/login/cancelled/", "social/signup/"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_keys_nothing_of_it_exists(path: str, method: str, client: Client) -> None:
    client.force_login(factories.person())
    assert client.generic(method, f"/accounts/{path}").status_code == 404
    page = Client().get("/accounts/login/").text
    assert not [name for name in ("ORCID", "GitHub", "Google") if name in page]
    assert "Linked accounts" not in client.get("/accounts/2fa/").text


def test_one_key_without_the_other_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_CLIENT_ID", "only-this")
    with pytest.raises(ImproperlyConfigured, match="GITHUB_CLIENT_SECRET: is not set"):
        environment.pair("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")


def test_a_verified_address_elsewhere_makes_an_account_that_is_signed_in(
    portal: Portal, fake: Provider
) -> None:
    fake.person, fake.emails = ADA, [EMAIL]
    visitor = sign_in_with(portal, "GitHub")
    visitor.visit("/settings/tokens/")
    assert User.objects.get().username == "ada"
    assert EmailAddress.objects.get().verified
    asked = fake.asked[0]
    assert asked["redirect_uri"] == f"{portal.url}/accounts/github/login/callback/"
    assert "code_challenge" in asked
    again = sign_in_with(portal, "GitHub")
    again.visit("/settings/tokens/")
    assert User.objects.count() == 1


def test_an_unverified_address_must_be_confirmed(portal: Portal, fake: Provider) -> None:
    fake.person, fake.emails = ADA, [EMAIL | {"verified": False}]
    visitor = sign_in_with(portal, "GitHub")
    assert "Confirm your e-mail address" in visitor.page.text
    assert not EmailAddress.objects.get().verified
    assert OutgoingMail.objects.get().to == EMAIL["email"]


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
def test_an_account_of_the_same_address_is_never_taken_over(
    verified: bool, portal: Portal, fake: Provider
) -> None:
    owner = factories.person("owner", email="ada@example.org")
    fake.person, fake.emails = ADA, [EMAIL | {"verified": verified}]
    visitor = sign_in_with(portal, "GitHub")
    assert "Confirm your e-mail address" in visitor.page.text, "as for an address nobody has"
    tokens = visitor.session.get(f"{portal.url}/settings/tokens/", allow_redirects=False)
    assert tokens.status_code == 302
    assert not SocialAccount.objects.exists()
    assert list(User.objects.all()) == [owner]
    assert OutgoingMail.objects.get().kind == "account_already_exists"


def test_a_linked_orcid_opens_the_account_and_is_evidence(portal: Portal, fake: Provider) -> None:
    owner = factories.person("owner")
    fake.person = {"orcid-identifier": {"path": "0000-0002-1825-0097"}}
    visitor = Visitor(portal.url)
    visitor.visit("/accounts/login/")
    visitor.submit("sign in", login="owner", password=factories.PASSWORD)
    visitor.visit("/accounts/orcid/login/?process=connect")
    visitor.submit("Go to ORCID")
    visitor.submit("Confirm", password=factories.PASSWORD)
    assert orcid.linked_id(owner) == "0000-0002-1825-0097"
    assert "0000-0002-1825-0097" in visitor.visit("/accounts/3rdparty/")
    other = sign_in_with(portal, "ORCID")
    assert "signed in as owner" in other.page.text


def test_the_form_may_lead_to_its_provider_and_no_other_page_may(portal: Portal) -> None:
    visitor = Visitor(portal.url)
    visitor.visit("/accounts/google/login/")
    policy = visitor.page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://accounts.google.com;" in f"{policy};"
    token = visitor.session.cookies["csrftoken"]
    data = visitor.session.post(
        visitor.page.url, data={"csrfmiddlewaretoken": token}, allow_redirects=False, timeout=60
    )
    leads_to = urlsplit(data.headers["Location"])
    assert (leads_to.scheme, leads_to.netloc) == ("https", "accounts.google.com")
    assert parse_qs(leads_to.query)["client_id"] == [CLIENT]
    visitor.visit("/accounts/login/")
    policy = visitor.page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "google" not in policy


def test_a_provider_that_fails_and_an_answer_that_was_made_up_break_nothing(
    portal: Portal, fake: Provider
) -> None:
    fake.down = True
    with pytest.raises(AssertionError, match="401") as error:
        sign_in_with(portal, "GitHub")
    assert "Sign-in failed" in str(error.value)
    for query in ("", "?code=x", "?code=x&state=y", "?error=access_denied", "?state=%00&code=%ff"):
        for name in ("github", "orcid", "google"):
            address = f"{portal.url}/accounts/{name}/login/callback/{query}"
            response = Visitor(portal.url).session.get(address, timeout=60)
            assert response.status_code < 500, address
    assert not User.objects.exists()
