"""Check that a document is a valid PDF without scripts, launch actions or embedded files.

A child process with resource limits parses it, so that a hostile document can at worst end the
child. Each web process runs at most two children, because each may use a whole core.
"""

import subprocess
import sys
import threading
from pathlib import Path

from accounts.errors import InvalidValue, LimitReached

_CHILD = Path(__file__).with_name("pdf_child.py")
#: Seconds to check one document, and seconds to wait until a child may start.
_TIMEOUT, _QUEUE_TIMEOUT = 20, 20
_children = threading.BoundedSemaphore(2)

#: Output of the child -> what the applicant reads.
_MESSAGES = {
    "other": "this is no PDF; save or print the document as PDF and send that",
    "damaged": "this PDF is damaged; save or print it anew as PDF and send that",
    "encrypted": "this PDF is encrypted; send it without a password",
    "scripts": "this PDF holds scripts; print it to a plain PDF and send that",
    "launch": "this PDF opens programs or other files; print it to a plain PDF and send that",
    "embedded": "this PDF has files or media inside; print it to a plain PDF and send that",
    "heavy": "this PDF takes too long to check; print it to a plain PDF and send that",
}


def require_harmless(content: bytes) -> None:
    """Raise InvalidValue, with the remedy, unless `content` is a harmless PDF."""
    result = _check(content) if content.startswith(b"%PDF-") else "other"
    if result != "ok":
        raise InvalidValue(_MESSAGES.get(result, _MESSAGES["damaged"]))


def _check(content: bytes) -> str:
    if not _children.acquire(timeout=_QUEUE_TIMEOUT):
        raise LimitReached("many documents are being checked; try again in a minute", wait=60)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=content,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            env={},
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return "heavy"
    finally:
        _children.release()
    return done.stdout.decode("ascii", "replace") if done.returncode == 0 else "damaged"
