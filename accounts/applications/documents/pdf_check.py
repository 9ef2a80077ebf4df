"""Whether a document may be kept: a whole PDF that runs nothing and carries nothing.

The parsing is done by a child process with bounds of its own, so that a hostile document ends
the child at worst; two at once in each web process, for each may take a core.
"""

import subprocess
import sys
import threading
from pathlib import Path

from accounts.errors import InvalidValue, LimitReached

_CHILD = Path(__file__).with_name("pdf_child.py")
#: Seconds for one document, and seconds to wait for a place.
_TIME, _PATIENCE = 20, 20
_places = threading.BoundedSemaphore(2)

_WORDS = {
    "other": "this is no PDF; save or print the document as PDF and send that",
    "damaged": "this PDF is damaged; save or print it anew as PDF and send that",
    "encrypted": "this PDF is encrypted; send it without a password",
    "scripts": "this PDF holds scripts; print it to a plain PDF and send that",
    "launch": "this PDF opens programs or other files; print it to a plain PDF and send that",
    "embedded": "this PDF has files or media inside; print it to a plain PDF and send that",
    "heavy": "this PDF takes too long to check; print it to a plain PDF and send that",
}


def demand_harmless(content: bytes) -> None:
    """Raise InvalidValue, with what to do, unless the content is a PDF that may be kept."""
    verdict = _judged(content) if content.startswith(b"%PDF-") else "other"
    if verdict != "ok":
        raise InvalidValue(_WORDS.get(verdict, _WORDS["damaged"]))


def _judged(content: bytes) -> str:
    if not _places.acquire(timeout=_PATIENCE):
        raise LimitReached("many documents are being checked; try again in a minute", wait=60)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=content,
            capture_output=True,
            timeout=_TIME,
            check=False,
            env={},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return "heavy"
    finally:
        _places.release()
    return done.stdout.decode("ascii", "replace") if done.returncode == 0 else "damaged"
