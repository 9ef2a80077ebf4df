"""Reference pages written from the code: settings, commands, API, codes, metrics."""

import argparse
import ast
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management import BaseCommand, get_commands, load_command_class

from portal.settings.installation import BASE_DIR
from weights.api.api import api
from weights.api.error_codes import ERROR_CODES

_GENERATED = "<!-- Written by `make docs` from the code. -->\n\n"
_APPS = ("accounts", "portal", "weights")


def pages() -> dict[str, str]:
    """The name and text of each page."""
    found = {"settings": settings(), "commands": commands(), "api": endpoints(), "codes": codes()}
    if find_spec("portal.metrics"):
        found["metrics"] = metrics()
    return {name: _GENERATED + text for name, text in found.items()}


def _cell(value: object) -> str:
    """A text for a table's cell."""
    return re.sub(r"\s+", " ", str(value)).replace("|", "\\|").replace("<", "&lt;").strip()


def _table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(_cell(one) for one in line) + " |\n" for line in lines) + "\n"


# -- settings -----------------------------------------------------------------------------


class Setting(NamedTuple):
    """An environment variable as the settings read it."""

    name: str
    kind: str
    default: str
    bounds: str


#: Readers of portal/settings/environment.py whose first argument is a variable.
_KINDS = {
    **{"text": "text", "flag": "on or off", "whole": "whole number", "seconds": "seconds"},
    **{"words": "list", "origin": "origin", "folder": "folder", "database": "database URL"},
    **{"redis": "Redis URL", "email": "mail URL", "storage": "store URL", "choice": "choice"},
    **{"contacts": "contacts", "imports": "names", "addresses": "mail addresses"},
    **{"manifest_key": "key file", "audit_key": "key file", "head_copy": "file or bucket"},
    **{"key_ring": "keys", "work_calendar": "country", "pair": "text", "cdn": "text"},
    **{"read_secrets": "file", "address": "host and port"},
}


def read_settings() -> list[Setting]:
    """Every variable that a call of an environment reader names, in alphabetical order."""
    found: dict[str, Setting] = {}
    for app in _APPS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            for setting in _calls(path):
                found.setdefault(setting.name, setting)
    return sorted(found.values())


def _calls(path: Path) -> Iterator[Setting]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        reader, owner = node.func.attr, node.func.value
        if isinstance(owner, ast.Name) and owner.id == "environment" and reader in _KINDS:
            values = [one.value if isinstance(one, ast.Starred) else one for one in node.args]
            yield from _of_call(reader, node, values)


def _of_call(reader: str, node: ast.Call, values: list[ast.expr]) -> Iterator[Setting]:
    words = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
    names = [one for value in values for one in _names(value)]
    several = reader in {"pair", "cdn", "read_secrets", "redis", "database", "email"}
    default = words.get("default") or (ast.unparse(values[1]) if len(values) > 1 else "")
    bounds = [
        f"{word.replace('_', ' ')} {words[word]}"
        for word in ("at_least", "at_most")
        if word in words
    ]
    for at, name in enumerate(names if several else names[:1]):
        kind = _KINDS[reader] if at == 0 or reader == "read_secrets" else "text"
        plain = default if not several and _is_plain(default) else ""
        yield Setting(name, kind, plain, ", ".join(bounds) if at == 0 else "")


def _names(value: ast.expr) -> Iterator[str]:
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    for part in parts:
        if isinstance(part, ast.Constant) and re.fullmatch(r"[A-Z][A-Z\d_]+", str(part.value)):
            yield str(part.value)


def _is_plain(default: str) -> bool:
    return bool(re.fullmatch(r"'[^'-][^']*'|\d+|True|False", default))


def _meanings() -> dict[str, str]:
    """Each variable and its meaning in docs/operating.md."""
    path = BASE_DIR / "docs" / "operating.md"
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|.*\| ([^|]*) \|$", path.read_text(), flags=re.MULTILINE)
    return {
        name: re.sub(r"\]\((?!http)([^)]*)\)", r"](../operating.md)", text)
        for names, text in rows
        for name in re.findall(r"`([A-Z\d_]+)`", names)
    }


def settings() -> str:
    """Every environment variable: how it is read, and what it means."""
    meanings = _meanings()
    rows = [
        (
            f"`{one.name}`",
            meanings.get(one.name, "–"),
            f"`{ast.literal_eval(one.default)}`" if one.default else "–",
            f"{one.kind}, {one.bounds}" if one.bounds else one.kind,
        )
        for one in read_settings()
    ]
    return (
        "# Settings\n\nEvery environment variable that the code reads, with the code's default."
        " [Operating](../operating.md#environment) lists the values of an embedded install and of"
        " production beside each other.\n\n"
        + _table(("Variable", "Meaning", "Default", "Kind"), rows)
    )


# -- commands -----------------------------------------------------------------------------


def commands() -> str:
    """Every command of the portal with its arguments, as its parser has them."""
    ours = sorted(name for name, app in get_commands().items() if app in _APPS)
    text = (
        "# Commands\n\n`manage.py NAME` in a clone, `weighbridge NAME` with the wheel."
        " Django's own options (`--verbosity`, `--traceback`, …) are left out.\n\n"
    )
    return text + "".join(map(_command, ours))


def _command(name: str) -> str:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("weighbridge", name)
    own = [one for one in parser._actions if one.dest not in _base_options()]
    positional = [one.metavar or one.dest for one in own if not one.option_strings]
    usage = " ".join(
        [
            "weighbridge",
            name,
            *(str(one) for one in positional),
            *(["[options]"] if len(own) > len(positional) else []),
        ]
    )
    text = f"## {name}\n\n{_cell(command.help)}\n\n```text\n{usage}\n```\n\n"
    rows = [(_argument(one), one.help or "", _default(one)) for one in own]
    return text + (_table(("Argument", "Meaning", "Default"), rows) if rows else "")


def _base_options() -> set[str]:
    return {one.dest for one in BaseCommand().create_parser("", "")._actions}


def _argument(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    choices = f" ({', '.join(map(str, action.choices))})" if action.choices else ""
    return f"`{', '.join(action.option_strings)}{value}`{choices}"


def _default(action: argparse.Action) -> str:
    if action.default in (None, False, [], "", argparse.SUPPRESS) or action.nargs == 0:
        return "required" if action.required else "–"
    return f"`{action.default}`"


# -- API and codes ------------------------------------------------------------------------


def endpoints() -> str:
    """Every operation of the OpenAPI document, by its tag."""
    document: dict[str, Any] = api.get_openapi_schema()
    groups: dict[str, list[tuple[object, ...]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "head":
                tag = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append(_operation(method, path, operation))
    text = (
        "# API operations\n\nEvery operation of the OpenAPI document, which a portal serves at"
        " `/api/v1/openapi.json`. [API](../api.md) explains tokens, errors and pages.\n\n"
    )
    heads = ("Operation", "Does", "Parameters", "Answers")
    return text + "".join(f"## {tag}\n\n{_table(heads, rows)}" for tag, rows in groups.items())


def _operation(method: str, path: str, operation: dict[str, Any]) -> tuple[object, ...]:
    parameters = [
        f"`{one['name']}`" + ("" if one.get("required") else "?")
        for one in operation.get("parameters", [])
        if one["in"] == "query"
    ]
    body = " JSON" if "requestBody" in operation else ""
    answers = ", ".join(sorted(str(status) for status in operation["responses"]))
    return (
        f"`{method.upper()} {path}`",
        operation["summary"],
        ", ".join(parameters) + body or "–",
        answers,
    )


def codes() -> str:
    """Every stable error code with its status and remedy."""
    rows = [(f"`{code}`", one.status, one.title, one.remedy) for code, one in ERROR_CODES.items()]
    return (
        "# Error and refusal codes\n\nThe values of a problem's `code`, `X-Error-Code` and"
        " `X-Refusal-Code`. A portal serves the same list at `/api/v1/problems`.\n\n"
        + _table(("Code", "Status", "Title", "Remedy"), rows)
    )


#: Classes of prometheus_client -> the kind of their metrics.
_METRICS = {
    **{"Counter": "counter", "CounterMetricFamily": "counter", "Histogram": "histogram"},
    **{"Gauge": "gauge", "GaugeMetricFamily": "gauge", "Info": "info"},
    "_family": "gauge",  # of portal/metrics/database.py, which adds the prefix
}


def metrics() -> str:
    """Every metric that the code defines, by name."""
    from portal.metrics.database import LINES  # noqa: PLC0415 - only where the portal has metrics

    of_lines = [(f"`weighbridge_{name}`", "gauge", "–", text) for name, text in LINES.values()]
    rows = of_lines + sorted(
        (f"`{name}`", kind, labels, text)
        for app in _APPS
        for path in (BASE_DIR / app).rglob("*metrics*/**/*.py" if app == "portal" else "metrics.py")
        for name, kind, labels, text in _metrics_of(path)
    )
    return (
        "# Metrics\n\nThe metrics that each web server exposes at `/metrics`."
        " [Monitoring](../monitoring.md) has the alerts on them.\n\n"
        + _table(("Metric", "Kind", "Labels", "Meaning"), rows)
    )


def _metrics_of(path: Path) -> Iterator[tuple[str, str, str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        kind = _METRICS.get(node.func.id)
        texts = [str(one.value) for one in node.args[:2] if isinstance(one, ast.Constant)]
        if kind and len(texts) == 2:
            lists = [
                one
                for one in (
                    *node.args[2:],
                    *(word.value for word in node.keywords if word.arg in {"labels", "labelnames"}),
                )
                if isinstance(one, ast.List)
            ]
            names = [ast.literal_eval(one) for part in lists for one in part.elts]
            names += [one.value for one in node.args[2:] if isinstance(one, ast.Constant)]
            labels = ", ".join(f"`{one}`" for one in names if isinstance(one, str))
            yield (
                f"weighbridge_{texts[0].removeprefix('weighbridge_')}"
                + ("_total" if kind == "counter" else ""),
                kind,
                labels or "–",
                str(texts[1]),
            )
