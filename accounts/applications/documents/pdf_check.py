"""Check that a document is a valid PDF without scripts, launch actions or embedded files.

A child process with resource limits parses it, so a malicious document can only crash the child.
Each web process runs at most two children, because each may use a whole core.
"""

import subprocess
import sys
import threading
from pathlib import Path

from accounts.errors import InvalidValue, LimitReached

_CHILD = Path(__file__).with_name("pdf_child.py")
#: Timeouts in seconds: for checking one document, and for waiting until a child may start.
_TIMEOUT, _QUEUE_TIMEOUT = 20, 20
_children = threading.BoundedSemaphore(2)

#: Output of the child -> message to the applicant.
_MESSAGES = {
    "other": "this is not a PDF; save or print the document as a PDF and send that",
    "damaged": "this PDF is damaged; save or print it as a new PDF and send that",
    "encrypted": "this PDF is encrypted; send it without a password",
    "scripts": "this PDF contains scripts; print it to a plain PDF and send that",
    "launch": "this PDF opens programs or other files; print it to a plain PDF and send that",
    "embedded": "this PDF contains embedded files or media; print it to a plain PDF and send that",
    "heavy": "this PDF takes too long to check; print it to a plain PDF and send that",
}


def require_harmless(content: bytes) -> None:
    """Raise InvalidValue, whose message states the remedy, unless `content` is a harmless PDF."""
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
