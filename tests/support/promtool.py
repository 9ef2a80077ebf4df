"""promtool, Prometheus's checker, and samples of `/metrics` in its formats."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import tools
from tests.support.servers.live import ROOT

ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yml"
#: Minutes of samples in every case, longer than the longest `for` of an alert.
_MINUTES = 26 * 60


def check(*arguments: str, text: str = "") -> str:
    """Run promtool; return its output. Raises AssertionError with it if promtool finds a fault."""
    done = subprocess.run(
        [str(tools.find("promtool")), *arguments], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """Every sample of a scrape by its name and labels in PromQL's notation."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        _series(sample.name, sample.labels): sample.value
        for family in families
        for sample in family.samples
    }


def constant(found: Mapping[str, float]) -> dict[str, str]:
    """promtool series with these constant values, so that counters do not increase."""
    return {series: f"{value}x{_MINUTES}" for series, value in found.items()}


def rising(per_minute: float) -> str:
    """A rising counter in promtool's notation."""
    return f"0+{per_minute}x{_MINUTES}"


def alerts() -> dict[str, dict[str, Any]]:
    """The rules in deploy/monitoring/alerts.yml by name."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def minutes_of(duration: str) -> int:
    """The minutes in `5m`, `1h` or `1d`; 0 for an empty text."""
    found = re.fullmatch(r"(\d+)([mhd])", duration)
    return int(found[1]) * {"m": 1, "h": 60, "d": 1440}[found[2]] if found else 0


def case(series: Mapping[str, str], minute: int, firing: Iterable[str]) -> dict[str, Any]:
    """A promtool unit test: exactly these alerts fire at this minute."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(firing)
                ],
            }
        ],
    }


def run_cases(folder: Path, cases: Iterable[dict[str, Any]]) -> None:
    """Run these cases with our alert rules."""
    document = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": list(cases),
    }
    (folder / "cases.yml").write_text(yaml.safe_dump(document))
    check("test", "rules", str(folder / "cases.yml"))


def _series(name: str, labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}"
