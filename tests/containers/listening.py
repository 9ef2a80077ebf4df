"""The listening sockets inside a container, and the containers that it can reach."""

import json
import subprocess
import sys

from tests.containers.stack import Stack
from tests.support.servers.proc import address_of

_LISTEN = "0A"
#: Connects to each `name, address, port` of its argument at once; prints the names that answered.
_CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reaches(target):
    try:
        socket.create_connection(target[1:], timeout=4).close()
        return target[0]
    except OSError:
        return None
with ThreadPoolExecutor(32) as pool:
    print(json.dumps([name for name in pool.map(reaches, json.loads(sys.argv[1])) if name]))
"""


def sockets(stack: Stack, name: str) -> dict[int, str]:
    """TCP ports that anything in the container listens on -> address, `::` for all."""
    found = {}
    for line in stack.execute(name, "cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines():
        if line.split()[3:4] == [_LISTEN]:
            address, _, port = line.split()[1].partition(":")
            found[int(port, 16)] = address_of(address)
    return found


def reachable(stack: Stack, service: str, ports: dict[str, dict[int, str]]) -> set[str]:
    """`other:port` of all other services' ports that open from inside this service's network."""
    targets = []
    for other in ports:
        if other != service:
            networks = stack.inspect(stack.names(other)[0])["NetworkSettings"]["Networks"]
            addresses = [network["IPAddress"] for network in networks.values()]
            targets += [
                (f"{other}:{port}", address, port) for port in ports[other] for address in addresses
            ]
    pid = stack.pid(stack.names(service)[0])
    command = ["nsenter", "--target", str(pid), "--net", sys.executable, "-c", _CONNECT]
    done = subprocess.run(
        [*command, json.dumps(targets)], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))
