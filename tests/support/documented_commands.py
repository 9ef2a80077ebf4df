"""Parse the commands of a documentation page, and run them in a shell like a reader."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

#: Commands are indented or fenced as `sh`; a fence without a language right below shows the output.
BLOCK = re.compile(
    r"(?P<indented>(?:^ {4}\S[^\n]*\n)+)|^```(?P<language>\w*)\n(?P<fenced>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Block:
    """Commands, one per line, and the output that the page shows; `…` matches any text."""

    commands: tuple[str, ...]
    shown: tuple[str, ...] = ()


def blocks(page: str) -> list[Block]:
    """All blocks of commands of the page, in order."""
    found: list[Block] = []
    end = -1  # of the last block of commands
    for match in BLOCK.finditer(page):
        lines = (match["indented"] or match["fenced"]).splitlines()
        if match["indented"] or match["language"] == "sh":
            found.append(Block(tuple(line.strip() for line in lines)))
            end = match.end()
        elif not match["language"] and found and not page[end : match.start()].strip():
            found[-1] = Block(found[-1].commands, tuple(lines))
    return found


class Shell:
    """Runs blocks of commands in one bash, in a folder in which the portal's commands work."""

    def __init__(self, install: Install, folder: Path) -> None:
        self.folder = folder
        self._outputs = folder / "outputs"
        self._outputs.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "manage.py").symlink_to(ROOT / "manage.py")
        path = f"{sys.prefix}/bin:{install.environment['PATH']}"
        own = {"PATH": path, "HOME": str(folder), "HF_HOME": str(folder / "hub")}
        hub = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE")
        self._environment = {k: v for k, v in install.environment.items() if k not in hub} | own

    def run(self, found: list[Block], *, seconds: float) -> list[str]:
        """Run the blocks; return their outputs. AssertionError names the first failing command."""
        script = "\n".join(
            self._line(number, command)
            for number, block in enumerate(found)
            for command in block.commands
        )
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        outputs = [self._output(number) for number in range(len(found))]
        lines = "".join(outputs).splitlines()
        faults = [line for line in lines if re.search(r"\berror|\bERR\b|\b(429|50\d)\b", line)]
        assert ended.returncode == 0, "\n".join([ended.stdout, *faults[-20:], *lines[-20:]])
        return outputs

    def _line(self, number: int, command: str) -> str:
        """Shell code for one command, which runs in the shell itself so that `cd` persists."""
        failed = f"{{ printf 'exit code %s: %s\\n' $? {_quoted(command)}; exit 1; }}"
        return f"{{ {command}\n}} >>{_quoted(str(self._outputs / str(number)))} 2>&1 || {failed}"

    def _output(self, number: int) -> str:
        path = self._outputs / str(number)
        text = path.read_text(errors="replace") if path.exists() else ""
        return _COLOUR.sub("", text).replace("\r", "\n")


def missing_lines(shown: tuple[str, ...], output: str) -> list[str]:
    """The lines of `shown` that are missing from `output`, in this order."""
    lines = iter(line.strip() for line in output.splitlines())
    return [line for line in shown if not any(_pattern(line).fullmatch(one) for one in lines)]


def substituted(found: list[Block], texts: Mapping[str, str]) -> list[Block]:
    """Replace placeholders in the blocks with what a reader would fill in."""
    return [Block(_all(block.commands, texts), _all(block.shown, texts)) for block in found]


def _all(lines: tuple[str, ...], texts: Mapping[str, str]) -> tuple[str, ...]:
    for old, new in texts.items():
        lines = tuple(line.replace(old, new) for line in lines)
    return lines


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.strip().split("…")))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
