"""`make screenshots`: take the pictures of the README and docs from a demo install.

The pages show the invented data of `make demo`; DATA_DIR names that install.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
STAFF = "lead-dalia"
SIZE = ViewportSize(width=1200, height=900)
#: Name of the picture -> address; the pages of staff come last.
PUBLIC = {
    "checkpoint": "/weighbridge/demo-gated",
    "will-it-run": "/will-it-run?checkpoint=facebook/opt-175b&accelerator=a100-80&count=8",
    "transparency": "/transparency/",
}
OF_STAFF = {"queue": "/admin/accounts/application/"}


def main() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    django.setup()
    password = _new_password()
    with _portal() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        _take(browser, url, password)
        browser.close()


def _new_password() -> str:
    """Set and return a password for STAFF; that of `make demo` was shown once."""
    from accounts.users.models import User  # noqa: PLC0415 - needs django.setup()
    from accounts.users.services import new_password  # noqa: PLC0415

    password = new_password()
    staff = User.objects.get(username=STAFF)
    staff.set_password(password)
    staff.save(update_fields=["password"])
    return password


@contextmanager
def _portal() -> Iterator[str]:
    """Run the portal of DATA_DIR; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "manage.py"), "quickstart", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            if not any(line.startswith("Ready:") for line in running.stdout):
                sys.exit("the portal did not start; see the lines above")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()


def _take(browser: Browser, url: str, password: str) -> None:
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    for name, path in PUBLIC.items():
        _picture(page, url + path, name)
    page.goto(f"{url}/accounts/login/")
    page.fill("[name=login]", STAFF)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{url}/access/")
    for name, path in OF_STAFF.items():
        _picture(page, url + path, name)


def _picture(page: Page, address: str, name: str) -> None:
    response = page.goto(address)
    if response is None or not response.ok:
        sys.exit(f"{address} was not shown; see the lines above")
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
