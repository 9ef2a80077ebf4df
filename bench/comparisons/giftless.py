"""giftless, a Git LFS server in Python, as a base of comparison.

Installed once into .venv-giftless, with the portal's web server.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import install, servers
from support.servers import Server

#: Sends a folder with the client's LFS functions, with the batches and threads of `hf upload`.
#: They drop the header that giftless requires for each object, so its token is in the query.
CLIENT = """
import pathlib, sys
from concurrent.futures import ThreadPoolExecutor
from huggingface_hub import CommitOperationAdd
from huggingface_hub.lfs import lfs_upload, post_lfs_batch_info
repo_id, folder = sys.argv[1:]
files = [CommitOperationAdd(path.name, path) for path in sorted(pathlib.Path(folder).iterdir())]
with ThreadPoolExecutor(5) as threads:
    list(threads.map(lambda file: file.upload_info.sha256, files))
    for start in range(0, len(files), 256):
        batch = {one.upload_info.sha256.hex(): one for one in files[start:start + 256]}
        infos = [one.upload_info for one in batch.values()]
        actions, errors, _ = post_lfs_batch_info(infos, False, "model", repo_id)
        if errors:
            sys.exit(f"{len(errors)} of {len(files)} files are refused: {errors[0]['error']}")
        for step in (step for each in actions for step in each.get("actions", {}).values()):
            step["href"] += "?jwt=" + step["header"]["Authorization"].split()[1]
        list(threads.map(lambda each: lfs_upload(batch[each["oid"]], each, False), actions))
"""

#: The app, with its providers created before any thread needs them: two concurrent first requests
#: would create them twice, and one would be refused.
_APP = """
from giftless.auth import authentication
from giftless.wsgi_entrypoint import app
with app.app_context():
    authentication.init_authenticators()
"""


def program() -> Path | str:
    """The path of giftless's web server, installed if necessary, or why that failed."""
    # Its wheel declares no dependencies. PyJWT 2.10 refuses its tokens without a subject.
    needed = (
        *("flask", "flask-classful", "flask-marshmallow", "figcan", "webargs", "pyyaml"),
        *("pyjwt<2.10", "python-dotenv", "python-dateutil", "cryptography", "typing_extensions"),
    )
    return install.program(".venv-giftless", "gunicorn", "giftless==0.6.2", "gunicorn", *needed)


@contextmanager
def server(program_path: Path, folder: Path, port: int) -> Iterator[Server]:
    """Run giftless with its files in `folder`, with as many processes and threads as the portal."""
    folder.mkdir()
    (folder / "lfs_app.py").write_text(_APP)
    storage = {
        "factory": "giftless.transfer.basic_streaming:factory",
        "options": {
            "storage_class": "giftless.storage.local_storage:LocalStorage",
            "storage_options": {"path": str(folder / "objects")},
            "action_lifetime": 6 * 3600,
        },
    }
    settings = {
        "AUTH_PROVIDERS": ["giftless.auth.allow_anon:read_write"],
        "TRANSFER_ADAPTERS": {"basic": storage},
        "LEGACY_ENDPOINTS": False,
    }
    command = [str(program_path), "lfs_app:app", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--worker-class", "gthread", "--threads", "128"]
    command += ["--no-control-socket", "--log-level", "warning"]
    environment = {"GIFTLESS_CONFIG_STR": json.dumps(settings), "PYTHONWARNINGS": "ignore"}
    with servers.running(command, port, within=folder, **environment) as running:
        yield running
