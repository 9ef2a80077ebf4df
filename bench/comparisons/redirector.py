"""A minimal redirector for a Hub client: nginx with prepared responses.

The client requests the revision, the tree, and each file (HEAD and GET) on one port. Files are
redirected to another port, where the same nginx sends them from disk. Without gate, ledger and
database, only the client's time remains.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServedFile:
    """A file that the redirector serves; `blob` is its path below the served folder."""

    path: str
    size: int
    sha256: str
    oid: str
    blob: str


def command(
    folder: Path,
    ports: tuple[int, int],
    repo_id: str,
    sha: str,
    files: list[ServedFile],
    blobs: Path,
) -> list[str] | None:
    """The command of an nginx on `ports` (API, files); None if nginx is not installed."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return None
    api, downloads = ports
    answers = folder / "answers"
    answers.mkdir(parents=True, exist_ok=True)
    (answers / "info.json").write_text(json.dumps(_info(repo_id, sha, files)))
    (answers / "tree.json").write_text(json.dumps([_entry(file) for file in files]))
    address = f"/{repo_id}/resolve/{sha}"
    rows = {name: _map(address, files, name) for name in ("blob", "sha256", "size")}
    (folder / "nginx.conf").write_text(
        f"""
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log stderr warn;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; sendfile_max_chunk 0; tcp_nopush off; keepalive_requests 100000;
  map_hash_bucket_size 512; map_hash_max_size 16384;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  map $uri $blob {{ {rows["blob"]} }}
  map $uri $sha256 {{ {rows["sha256"]} }}
  map $uri $size {{ {rows["size"]} }}
  server {{
    listen 127.0.0.1:{api};
    default_type application/json;
    location /api/models/{repo_id}/revision/ {{ alias {answers}/; try_files /info.json =404; }}
    location /api/models/{repo_id}/tree/ {{ alias {answers}/; try_files /tree.json =404; }}
    location {address}/ {{
      add_header X-Repo-Commit {sha} always;
      add_header X-Linked-Etag '"$sha256"' always;
      add_header X-Linked-Size $size always;
      return 302 http://127.0.0.1:{downloads}/$blob;
    }}
  }}
  server {{ listen 127.0.0.1:{downloads}; location / {{ root {blobs}; }} }}
}}
"""
    )
    return [program, "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _map(address: str, files: list[ServedFile], field: str) -> str:
    return "".join(f'"{address}/{file.path}" "{getattr(file, field)}";\n' for file in files)


def _info(repo_id: str, sha: str, files: list[ServedFile]) -> dict[str, object]:
    siblings = [{"rfilename": file.path} for file in files]
    return {"id": repo_id, "sha": sha, "private": False, "gated": False, "siblings": siblings}


def _entry(file: ServedFile) -> dict[str, object]:
    lfs = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
    entry = {"type": "file", "path": file.path, "size": file.size, "oid": file.oid}
    return entry | {"lfs": lfs}
