"""Ask the database of advisories about every package that is pinned, runtime and development.

Exit 1 if one is found, or if pip-audit itself fails. Where nobody answers, nothing was checked:
that is said as `skipped`, and is no failure, since most machines that run checks have no way out.

    python .ci/advisories.py [REQUIREMENTS…] [--source https://…/v1/query]
"""

import argparse
import json
import re
import subprocess
import sys
from typing import Any

#: Seconds that one package's question may take.
PATIENCE = "5"
#: How pip-audit and its HTTP library name a source that did not answer.
UNREACHED = re.compile(r"\b(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|ServiceError)\b")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=["requirements-dev.txt"])
    parser.add_argument("--source", help="another database that speaks OSV's protocol")
    options = parser.parse_args(arguments)
    done = ask(options.files, options.source)
    if not done.stdout.strip():
        return unanswered(done.stderr)
    return told(json.loads(done.stdout)["dependencies"])


def ask(files: list[str], source: str | None) -> subprocess.CompletedProcess[str]:
    """Run pip-audit on files of pinned requirements; its answer is JSON on stdout."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--require-hashes", "--disable-pip", "--timeout", PATIENCE),
        *("--vulnerability-service", "osv"),
    ]
    command += ["--osv-url", source] if source else []
    for name in files:
        command += ["--requirement", name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def unanswered(complaint: str) -> int:
    """pip-audit gave no list: was its source away, or is something wrong here?"""
    if UNREACHED.search(complaint):
        print("skipped: advisories cannot be reached")
        return 0
    print(complaint.strip() or "pip-audit said nothing", file=sys.stderr)
    return 1


def told(packages: list[dict[str, Any]]) -> int:
    """Print each advisory; a package that was not asked about counts as a failure too."""
    lines = []
    for package in packages:
        if "skip_reason" in package:
            lines.append(f"{package['name']}: not asked about, {package['skip_reason']}")
        for found in package.get("vulns", []):
            ids = ", ".join([found["id"], *found["aliases"]])
            better = ", ".join(found["fix_versions"]) or "no version yet"
            lines.append(f"{package['name']} {package['version']}: {ids}; mended in {better}")
    print("\n".join(lines) or f"no advisory about {len(packages)} packages")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
