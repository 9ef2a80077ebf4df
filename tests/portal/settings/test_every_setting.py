"""Every variable that the portal reads is documented, and reaches the containers."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured

from portal.settings import data_dir, environment
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

#: Why a variable is not handed to the containers.
NOT_IN_CONTAINERS = {
    "DATA_DIR": "the folder of the embedded install",
    "DEBUG": "refused in production",
    "BIND": "nginx expects the port that the image listens on",
    "XDG_DATA_HOME": "the folder of a wheel's install",
    "BEAT_SCHEDULE": "one a container, in its own file system",
}
#: Variables that some containers must not have.
ONLY_IN = {
    **{name: {"worker"} for name in ("MANIFEST_KEY_FILE", "AUDIT_KEY_FILE")},
    **{name: {"worker"} for name in ("EMAIL_PASSWORD", "EMAIL_PASSWORD_FILE")},
    **{name: {"web"} for name in ("METRICS_ADDRESS", "METRICS_TOKEN", "METRICS_TOKEN_FILE")},
    **{
        f"{provider}_CLIENT_{part}": {"web"}
        for provider in ("ORCID", "GITHUB", "GOOGLE")
        for part in ("ID", "SECRET", "SECRET_FILE")
    },
}


#: Readers that take more than one variable.
OF_SEVERAL = {"cdn", "pair", "read_secrets", "database", "email"}


def variables() -> Iterator[str]:
    """The first word of every call of a reader in `environment`, of some readers all words."""
    for path in (ROOT / "portal").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                of = call.func.value
                if isinstance(of, ast.Name) and of.id == "environment":
                    words = call.args if call.func.attr in OF_SEVERAL else call.args[:1]
                    yield from (str(word.value) for word in words if isinstance(word, ast.Constant))


@cache
def services() -> dict[str, Any]:
    """The services of the compose file, read once for its hundred variables."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(compose["services"])


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
    for service in ("web", "worker", "beat", "prepare"):
        given = services()[service]["environment"]
        wanted = name not in NOT_IN_CONTAINERS and service in ONLY_IN.get(name, {service})
        in_a_file = f"{name}_FILE" in given
        assert (name in given or in_a_file) == wanted, f"{service}: {name}"


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("default", [True, False])
def test_an_empty_switch_is_not_set(
    value: str, default: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose hands an empty word to the portal for what `.env` does not set."""
    monkeypatch.setenv("RATE_LIMITS", value)
    assert environment.flag("RATE_LIMITS", default) is default


@pytest.mark.usefixtures("no_values_of_files")
def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    file.chmod(0o600)
    monkeypatch.setenv("SECRET_KEY", " ")
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    environment.read_secrets("SECRET_KEY_FILE")
    assert environment.text("SECRET_KEY") == "from the file"
    monkeypatch.setenv("SECRET_KEY", "of the environment")
    assert environment.text("SECRET_KEY") == "of the environment"


@pytest.mark.usefixtures("no_values_of_files")
def test_a_file_that_the_environment_names_wins_over_keys_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("of the named file")
    file.chmod(0o600)
    monkeypatch.delenv("LINK_KEYS", raising=False)
    monkeypatch.setenv("LINK_KEYS_FILE", str(file))
    environment.read_lines("LINK_KEYS=of keys.env\n")
    environment.read_secrets("LINK_KEYS_FILE")
    assert environment.text("LINK_KEYS") == "of the named file"


@pytest.mark.usefixtures("no_values_of_files")
@pytest.mark.parametrize(("line", "value"), [("7", 7), ("", 2)])
def test_a_line_of_a_file_counts_where_the_environment_has_no_such_variable(
    line: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEB_WORKERS", raising=False)
    environment.read_lines(f"WEB_WORKERS={line}\n")
    assert environment.whole("WEB_WORKERS", 2) == value
    assert "WEB_WORKERS" not in os.environ
    monkeypatch.setenv("WEB_WORKERS", "")
    environment.read_lines("WEB_WORKERS=9\n")
    assert environment.whole("WEB_WORKERS", 2) == 2, "one that is set, though empty, wins"


@pytest.mark.usefixtures("no_values_of_files")
@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("\n", "is empty")])
def test_a_secret_that_its_file_does_not_hold_is_refused(
    content: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    monkeypatch.setenv("LINK_KEYS", "")
    monkeypatch.setenv("LINK_KEYS_FILE", str(file))
    with pytest.raises(ImproperlyConfigured, match=f"^LINK_KEYS_FILE: .* {why}"):
        environment.read_secrets("LINK_KEYS_FILE")


def test_a_database_may_have_its_password_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://portal@db.example.org/portal")
    monkeypatch.setenv("DATABASE_PASSWORD", "very secret")
    assert (
        environment.database("DATABASE_URL", "", "DATABASE_PASSWORD")["PASSWORD"] == "very secret"
    )
    monkeypatch.setenv("DATABASE_URL", "postgres://portal:its-own@db.example.org/portal")
    assert environment.database("DATABASE_URL", "", "DATABASE_PASSWORD")["PASSWORD"] == "its-own"


def test_a_clone_has_one_install_whichever_folder_a_command_is_run_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_DIR")
    assert environment.folder("DATA_DIR", data_dir.default()) == ROOT / "var"
