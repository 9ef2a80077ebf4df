"""Every variable that the portal reads is documented, and reaches the containers."""

import ast
import re
from collections.abc import Iterator

import pytest
import yaml

from portal import env
from tests.live import ROOT

pytestmark = pytest.mark.one_database

#: Why a variable is not handed to the containers.
NOT_IN_CONTAINERS = {
    "DATA_DIR": "the folder of the embedded install",
    "DEBUG": "refused in production",
    "BIND": "nginx expects the port that the image listens on",
    "BEAT_SCHEDULE": "one a container, in its own file system",
}
#: Variables that some containers must not have.
ONLY_IN = {"MANIFEST_KEY_FILE": {"worker"}, "AUDIT_KEY_FILE": {"worker"}}


def variables() -> Iterator[str]:
    """The first word of every call of a reader in `env`; `env.cdn` reads three, `pair` two."""
    for path in (ROOT / "portal").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                of = call.func.value
                if isinstance(of, ast.Name) and of.id == "env":
                    words = call.args if call.func.attr in {"cdn", "pair"} else call.args[:1]
                    yield from (str(word.value) for word in words if isinstance(word, ast.Constant))


READ = sorted({name for name in variables() if re.fullmatch("[A-Z][A-Z0-9_]+", name)})


def test_the_list_is_not_empty() -> None:
    assert {"SECRET_KEY", "DATABASE_URL", "CDN_KEY_FILE", "WEB_THREADS"} <= set(READ)


@pytest.mark.parametrize("name", READ)
def test_every_variable_has_its_row_in_the_documentation(name: str) -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert [row for row in rows if f"`{name}`" in row], f"docs/operating.md is silent on {name}"


@pytest.mark.parametrize("name", READ)
def test_every_variable_reaches_the_containers(name: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for service in ("web", "worker", "beat", "prepare"):
        given = compose["services"][service]["environment"]
        wanted = name not in NOT_IN_CONTAINERS and service in ONLY_IN.get(name, {service})
        assert (name in given) == wanted, f"{service}: {name}"


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("default", [True, False])
def test_an_empty_switch_is_not_set(
    value: str, default: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose hands an empty word to the portal for what `.env` does not set."""
    monkeypatch.setenv("RATE_LIMITS", value)
    assert env.flag("RATE_LIMITS", default) is default
