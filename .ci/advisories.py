"""Look up security advisories for every pinned package, runtime and development.

Exits 1 if there is one, or if pip-audit fails. Without an answer it prints `skipped` and exits 0,
because most machines that run the checks have no access to the internet.

    python .ci/advisories.py [REQUIREMENTS…] [--source https://…/v1/query]
"""

import argparse
import json
import re
import subprocess
import sys
from typing import Any

#: Seconds for one package.
TIMEOUT = "5"
#: Errors of pip-audit and its HTTP library for a source that does not answer.
UNREACHABLE = re.compile(
    r"\b(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|ServiceError)\b"
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=["requirements-dev.txt"])
    parser.add_argument("--source", help="another database that speaks OSV's protocol")
    options = parser.parse_args(arguments)
    done = audit(options.files, options.source)
    if not done.stdout.strip():
        return report_failure(done.stderr)
    return report(json.loads(done.stdout)["dependencies"])


def audit(files: list[str], source: str | None) -> subprocess.CompletedProcess[str]:
    """Run pip-audit on files of pinned requirements; it prints JSON to stdout."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--require-hashes", "--disable-pip", "--timeout", TIMEOUT),
        *("--vulnerability-service", "osv"),
    ]
    command += ["--osv-url", source] if source else []
    for name in files:
        command += ["--requirement", name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def report_failure(message: str) -> int:
    """Print why pip-audit printed no list. Returns 0 if its source did not answer."""
    if UNREACHABLE.search(message):
        print("skipped: advisories cannot be reached")
        return 0
    print(message.strip() or "pip-audit said nothing", file=sys.stderr)
    return 1


def report(packages: list[dict[str, Any]]) -> int:
    """Print each advisory; a package that was not checked is a failure too."""
    lines = []
    for package in packages:
        if "skip_reason" in package:
            lines.append(f"{package['name']}: not asked about, {package['skip_reason']}")
        for advisory in package.get("vulns", []):
            ids = ", ".join([advisory["id"], *advisory["aliases"]])
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            lines.append(f"{package['name']} {package['version']}: {ids}; mended in {fixed}")
    print("\n".join(lines) or f"no advisory about {len(packages)} packages")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
