"""nginx with deploy/nginx.conf in front of a portal, and nginx with its own signed links."""

import hashlib
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path

from support import install, servers

_SECRET = "benchmark"  # noqa: S105 - signs nothing of value
#: The base of comparison without a portal: the same folder behind nginx's `secure_link`.
_SIGNED = f"""
        location /signed/ {{
            secure_link $arg_md5,$arg_expires;
            secure_link_md5 "$secure_link_expires$uri {_SECRET}";
            if ($secure_link = "") {{ return 403; }}
            if ($secure_link = "0") {{ return 410; }}
            alias BLOBS;
        }}
"""
_BEFORE = "        location /blobs/ {"


def command(folder: Path, port: int, portal: int, blobs: Path) -> list[str] | None:
    """Return the command of an nginx with deploy/nginx.conf, adapted to this machine.

    Adds the location of `location`. None if nginx is not installed.
    """
    program = servers.nginx_program()
    if program is None:
        return None
    text = (install.ROOT / "deploy" / "nginx.conf").read_text()
    for theirs, ours in {
        _BEFORE: location(blobs) + _BEFORE,
        "http://web:8000": f"http://127.0.0.1:{portal}",
        "http://store:8333": "http://127.0.0.1:1",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "listen 9000;": f"listen 127.0.0.1:{servers.free_port()};",
        "/srv/weights/": f"{blobs}/",
        "/tmp/nginx": f"{folder}/nginx",  # noqa: S108 - as deploy/nginx.conf has it
        "access_log /dev/stdout portal": "access_log /dev/null portal",
    }.items():
        if theirs not in text:
            raise SystemExit(f"deploy/nginx.conf has no {theirs!r}")
        text = text.replace(theirs, ours)
    path = folder / "front.conf"
    path.write_text(text)
    (folder / "weighbridge").symlink_to(install.ROOT / "deploy" / "nginx")
    user = " user root;" if os.geteuid() == 0 else ""
    return [program, "-c", str(path), "-g", f"daemon off;{user}"]


def counting(folder: Path, ports: dict[str, int], servers_: dict[str, int]) -> list[str] | None:
    """Return the command of an nginx that counts the bytes that these servers receive.

    `folder/<name>.log` has a line for each request with its received bytes, including headers.
    None if nginx is not installed.
    """
    program = servers.nginx_program()
    if program is None:
        return None
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{port}; access_log {folder}/{name}.log bytes;"
        f" location / {{ proxy_pass http://127.0.0.1:{servers_[name]}; }} }}\n"
        for name, port in ports.items()
    )
    path = folder / "counting.conf"
    path.write_text(
        f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 512; }}
http {{
  log_format bytes $request_length;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.1;
  proxy_set_header Host $http_host; proxy_set_header Connection ""; proxy_read_timeout 600s;
  {blocks}
}}
"""
    )
    return [program, "-c", str(path), "-e", "/dev/null"]


def location(blobs: Path) -> str:
    """The nginx location that serves `blobs` at URLs from `signed`."""
    return _SIGNED.replace("BLOBS", f"{blobs}/")


def signed(path: str, seconds: int = 3600) -> str:
    """`/signed/<path>` with the query that nginx's `secure_link` verifies."""
    expires = int(time.time()) + seconds
    text = f"{expires}/signed/{path} {_SECRET}".encode()
    md5 = urlsafe_b64encode(hashlib.md5(text, usedforsecurity=False).digest()).decode()
    return f"/signed/{path}?md5={md5.rstrip('=')}&expires={expires}"
