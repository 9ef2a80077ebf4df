"""The portal requests the page that an applicant gives as a profile, but nothing in its network."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.workflow import submission
from accounts.privacy import retention
from accounts.review import evidence
from accounts.review.evidence import profile_child, profiles
from accounts.review.models import ProfileLook
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers import certificate

Outcome = ProfileLook.Outcome


class Site:
    """A site over TLS on loopback: `/200` answers so, `/to?https://…` leads there."""

    def __init__(self, url: str, authority: str) -> None:
        self.url, self.authority = url, authority
        self.asked: list[str] = []
        #: Bytes of the body of `/flood?/200`, a redirect.
        self.flooded = 0

    def look(self, path: str, **changed: Any) -> str:
        known: dict[str, Any] = {"authority": self.authority, "loopback": True}
        return profile_child.look(f"{self.url}{path}", **known | changed)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pem = certificate.self_signed(tmp_path_factory.mktemp("site"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with _serving(context, str(pem)) as running:
        yield running


@contextmanager
def _serving(context: ssl.SSLContext, authority: str) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.asked.append(self.path)
            path, _, target = self.path.partition("?")
            target = target or ("/round" if path == "/round" else "")
            self.send_response(302 if target else int(path[1:]))
            if target:
                self.send_header("Location", target)
            self.end_headers()
            if not target:
                self.wfile.write(b"x" * 1000)
            while path == "/flood" and running.flooded < 1 << 30:
                running.flooded += self.wfile.write(bytes(1 << 16))

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Site(f"https://127.0.0.1:{server.server_address[1]}", authority)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# -- one look ---------------------------------------------------------------------------


@pytest.mark.one_database
def test_the_body_of_a_redirect_is_not_read(site: Site) -> None:
    assert site.look("/flood?/200") == "answers 200"
    assert site.flooded < 100 << 20


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/200", "answers 200"),
        ("/to?/200", "answers 200"),
        ("/404", "gone 404"),
        ("/410", "gone 410"),
        ("/403", "refuses 403"),
        ("/999", "refuses 999"),
        ("/503", "silent 503"),
    ],
)
def test_the_response_of_a_profile_page_becomes_one_result(
    site: Site, path: str, result: str
) -> None:
    assert site.look(path) == result


@pytest.mark.one_database
def test_redirects_that_lead_round_in_a_circle_end(site: Site) -> None:
    site.asked.clear()
    assert site.look("/round") == "silent"
    assert len(site.asked) == 4


@pytest.mark.one_database
def test_a_redirect_away_from_https_is_not_followed(site: Site) -> None:
    plain = site.url.replace("https:", "http:")
    assert site.look(f"/to?{plain}/200") == "silent"


@pytest.mark.one_database
def test_a_site_with_an_untrusted_certificate_counts_as_silent(site: Site) -> None:
    assert site.look("/200", authority=True) == "silent"


@pytest.mark.one_database
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_no_address_of_this_machine_is_requested(site: Site, host: str) -> None:
    site.asked.clear()
    address = site.url.replace("127.0.0.1", host)
    assert profile_child.look(f"{address}/200", authority=site.authority) != "answers 200"
    assert site.asked == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    "address",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
    ],
)
def test_an_address_inside_a_network_is_named_as_such(address: str) -> None:
    assert profile_child.look(address) == "inside"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "address", ["", "https://", "https://a b/", "file:///etc/passwd", "https:///x"]
)
def test_a_text_that_is_no_url_counts_as_silent(address: str) -> None:
    assert profile_child.look(address) == "silent"


# -- the sweep --------------------------------------------------------------------------


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    answers = {**factories.ANSWERS, "profile_url": "https://127.0.0.1:1/ada"}
    return factories.submitted(applicant, gated_tier, answers=answers)


def line(application: Application, reviewer: User) -> tuple[str, str]:
    lines = evidence.collect(application, reviewer)
    return next((one.level.value, one.fact) for one in lines if one.key == "profile")


@pytest.mark.django_db
def test_a_look_is_made_once_and_shown_to_the_reviewer(
    application: Application, reviewer: User
) -> None:
    assert line(application, reviewer) == ("grey", "not requested by the portal")
    assert profiles.sweep(timezone.now()) == 1
    assert line(application, reviewer) == ("amber", "the address is not public")
    assert profiles.sweep(timezone.now() + timedelta(days=1)) == 0


@pytest.mark.django_db
def test_a_silent_page_is_tried_three_times_an_hour_apart(
    application: Application, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A silent page would make the child wait for a network that does not exist in the tests.
    monkeypatch.setattr(profiles, "_open", lambda address: (Outcome.SILENT, 503))
    now = timezone.now()
    looks = [profiles.sweep(now + timedelta(minutes=minutes)) for minutes in (0, 30, 61, 125, 300)]
    assert looks == [1, 0, 1, 1, 0]
    assert line(application, reviewer) == ("amber", "no answer in 3 tries (HTTP 503)")


@pytest.mark.django_db
def test_a_child_that_hangs_is_ended_and_counts_as_silent(
    application: Application, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: no child answers in a millisecond.
    monkeypatch.setattr(profiles, "_TIMEOUT", 0.001)
    assert profiles.sweep(timezone.now()) == 1
    assert line(application, reviewer) == ("grey", "no answer yet")


@pytest.mark.django_db
def test_nothing_is_opened_where_looks_are_off(application: Application, settings: Any) -> None:
    settings.LOOK_AT_PROFILES = False
    assert profiles.sweep(timezone.now()) == 0
    assert not ProfileLook.objects.exists()


@pytest.mark.django_db
def test_only_what_waits_for_staff_and_names_a_profile_is_due(
    application: Application, gated_tier: Tier
) -> None:
    without = {**factories.ANSWERS, "profile_url": ""}
    factories.submitted(factories.person(), gated_tier, answers=without)
    assert [one.application for one in profiles.due(timezone.now())] == [application]
    submission.withdraw(application, by=application.applicant)
    assert not profiles.due(timezone.now()).exists()


@pytest.mark.django_db
def test_a_profile_check_is_deleted_with_the_answers(application: Application) -> None:
    profiles.sweep(timezone.now())
    retention.reduce_application(application)
    assert not ProfileLook.objects.exists()
