"""Imports point one way and form no cycle, and models import no services."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from django.apps import apps

pytestmark = pytest.mark.one_database

OURS = {"portal", "weights", "accounts"}
MAY_IMPORT = {"accounts": {"accounts"}, "weights": {"weights", "accounts"}}
#: Rules without a database: of ours they import nothing but errors and each other.
PLAIN = [
    "accounts/web/user_agents.py",
    "accounts/web/loopback.py",
    "accounts/applications/transition_table.py",
    "accounts/review/reasons.py",
    "accounts/roles/permissions.py",
    "accounts/web/sanitize.py",
    "accounts/audit/event_tags.py",
    "accounts/audit/merkle_log/canonical.py",
    "accounts/audit/merkle_log/merkle.py",
    "accounts/audit/merkle_log/signed_notes.py",
    "accounts/tiers/access_modes.py",
    "accounts/api_tokens/token_format.py",
    "weights/catalogue/facts.py",
    "weights/event_tags.py",
    "weights/catalogue/front_matter.py",
    "weights/inspection/content/compression.py",
    "weights/inspection/content/detection.py",
    "weights/inspection/content/hdf5.py",
    "weights/inspection/content/keras_config.py",
    "weights/inspection/content/numpy_array.py",
    "weights/inspection/content/parts.py",
    "weights/inspection/content/tar_archive.py",
    "weights/inspection/content/text.py",
    "weights/inspection/content/unpacking.py",
    "weights/inspection/content/zip_archive.py",
    "weights/inspection/formats/allowed.py",
    "weights/inspection/formats/compressed.py",
    "weights/inspection/formats/import_check.py",
    "weights/inspection/families.py",
    "weights/inspection/inspect_file.py",
    "weights/inspection/formats/pickles.py",
    "weights/inspection/formats/safetensors_file.py",
    "weights/inspection/formats/source.py",
    "weights/inspection/formats/tar_file.py",
    "weights/inspection/formats/torch_legacy.py",
    "weights/inspection/formats/torch_zip.py",
    "weights/inspection/formats/pickle_detection.py",
    "weights/inspection/formats/verdict.py",
    "weights/storage/hmac_sha256.py",
    "weights/storage/transition_table.py",
    "weights/manifests/listing.py",
    "weights/catalogue/names.py",
    "weights/delivery/ranges.py",
    "weights/gate/facts.py",
    "weights/gate/refusals.py",
    "weights/gate/rules.py",
    "weights/storage/read_ahead.py",
    "weights/delivery/signed_claims.py",
    "weights/web/conditional_requests.py",
    "weights/web/strict_json.py",
]


#: Module of ours -> its file; migrations only import what they must.
MODULES = {
    ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
    for app in OURS
    for path in Path(app).rglob("*.py")
    if "migrations" not in path.parts
}


@cache
def imported_modules(source: Path, *, typing: bool = True) -> frozenset[str]:
    """Every module that the file imports, anywhere in it, or names to `get_model`.

    Without `typing` the imports under TYPE_CHECKING are left out.
    """
    modules = set[str]()
    for node in _nodes(ast.parse(source.read_text(encoding="utf-8")), typing=typing):
        match node:
            case ast.Import(names):
                modules |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                full = [f"{module}.{name.name}" for name in names]
                modules |= {name if name in MODULES else module for name in full}
            case ast.Call(
                func=ast.Attribute(attr="get_model"),
                args=[ast.Constant(str(label)), ast.Constant(str(name))],
            ):
                modules.add(apps.get_model(label, name).__module__)
    return frozenset(modules)


def _nodes(tree: ast.AST, *, typing: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")) if not typing:
                continue
        yield node
        yield from _nodes(node, typing=typing)


def packages(modules: Iterable[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.slow
@pytest.mark.parametrize("app", MAY_IMPORT)
def test_apps_import_only_in_the_agreed_direction(app: str) -> None:
    for source in Path(app).rglob("*.py"):
        assert packages(imported_modules(source)) & OURS <= MAY_IMPORT[app], source


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Imports under TYPE_CHECKING, inside functions and by `get_model` count."""
    graph = {name: imported_modules(path) & MODULES.keys() for name, path in MODULES.items()}
    cycle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1]
    assert cycle == []


@pytest.mark.slow
def test_models_import_models_queries_and_helpers_that_load_no_model() -> None:
    """So that services, mails, views and tasks stand above models."""
    graph = {
        name: imported_modules(path, typing=False) & MODULES.keys()
        for name, path in MODULES.items()
    }

    def is_model(module: str) -> bool:
        return bool({"models", "queries"} & set(module.split(".")))

    def loaded(module: str) -> set[str]:
        return {module}.union(*map(loaded, graph[module]))

    for module in filter(is_model, MODULES):
        for imported in graph[module]:
            assert is_model(imported) or not any(map(is_model, loaded(imported))), (
                f"{module} imports {imported}"
            )


@pytest.mark.parametrize("path", PLAIN)
def test_plain_rules_import_no_records(path: str) -> None:
    plain = {name.removesuffix(".py").replace("/", ".") for name in PLAIN}
    allowed = tuple(plain | {"accounts.errors", "weights.errors", "weights.inspection"})
    for module in imported_modules(Path(path)):
        is_ours = packages({module}) & OURS and module not in OURS
        assert not is_ours or module.startswith(allowed), module


def test_boto3_is_imported_in_one_package() -> None:
    users = {
        source.parent.as_posix()
        for app in ("accounts", "weights", "portal")
        for source in Path(app).rglob("*.py")
        if packages(imported_modules(source)) & {"boto3", "botocore"}
    }
    assert users == {"weights/storage/s3"}


@pytest.mark.slow
def test_a_portal_that_stores_files_loads_no_boto3() -> None:
    """Only names of types are imported from its package, which no running process does."""
    for app in ("accounts", "weights", "portal"):
        for source in Path(app).rglob("*.py"):
            tree = ast.parse(source.read_text(encoding="utf-8"))
            loaded = {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
            is_its_own = source.parent.name == "s3"
            assert is_its_own or not any(".storage.s3" in name for name in loaded), source


def test_views_that_serve_bytes_import_the_gate_and_not_the_reverse() -> None:
    doors = {"api", "delivery", "hub_api", "publishing"}
    imported = frozenset().union(*map(imported_modules, Path("weights/gate").glob("*.py")))
    for module in imported:
        parts = module.split(".")
        assert parts[-1] not in {"admin", "tasks", "urls", "views"}, module
        if parts[0] == "weights" and len(parts) > 2 and parts[1] in doors:
            assert parts[2] in {"models", "names", "queries"}, module
