"""Check a proof of a Weighbridge's audit trail, offline, with Python alone and a key you trust:
python3 check_proof.py NAME+ID+KEY < PROOF.json"""

import json
import sys
from base64 import b64decode
from hashlib import sha256, sha512

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # RFC 8032, section 5.1
D = -121665 * pow(121666, -1, P) % P


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    t = D * a[0] * b[0] * a[1] * b[1]
    x, y = a[0] * b[1] + b[0] * a[1], a[1] * b[1] + a[0] * b[0]
    return x * pow(1 + t, -1, P) % P, y * pow(1 - t, -1, P) % P


def times(n: int, a: tuple[int, int]) -> tuple[int, int]:
    return add(times(n >> 1, add(a, a)), a if n & 1 else (0, 1)) if n else (0, 1)


def point(raw: bytes) -> tuple[int, int]:
    y = int.from_bytes(raw, "little") & 2**255 - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    x = root if (root * root - square) % P == 0 else root * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 != raw[31] >> 7 else x), y


def is_signed(key: bytes, text: bytes, signature: bytes) -> bool:
    start, s = signature[:32], int.from_bytes(signature[32:], "little")
    h = int.from_bytes(sha512(start + key + text).digest(), "little") % L
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return s < L and len(key) == 32 and times(s, base) == add(point(start), times(h, point(key)))


def root_of(leaf: bytes, index: int, size: int, path: list[str]) -> bytes:
    found, last = sha256(b"\x00" + leaf).digest(), size - 1  # RFC 9162, section 2.1.3.2
    for part in map(b64decode, path):
        pair = part + found if index & 1 or index == last else found + part
        while index and not index & 1 and index == last:
            index, last = index >> 1, last >> 1
        found, index, last = sha256(b"\x01" + pair).digest(), index >> 1, last >> 1
    return found if index == last == 0 else b""


if len(sys.argv) != 2 or sys.argv[1].count("+") < 2 or not (sent := sys.stdin.read()):
    sys.exit(__doc__)
proof, (name, _, key) = json.loads(sent), sys.argv[1].split("+", 2)
text, _, lines = proof["head"].partition("\n\n")  # c2sp.org/signed-note
signatures = [b64decode(line.split(" ")[2])[4:] for line in lines.splitlines() if name in line]
leaf, own, (origin, size, root) = proof["leaf"], proof["withheld"], text.split("\n")[:3]
if origin != name or not is_signed(b64decode(key)[1:], f"{text}\n".encode(), signatures[0]):
    sys.exit("WRONG: this key has not signed the head")
if root_of(leaf.encode(), proof["index"], int(size), proof["path"]) != b64decode(root):
    sys.exit("WRONG: the row is not in the log of this head")
if own and sha256(own.encode()).hexdigest() != json.loads(leaf)["withheld"]:
    sys.exit("WRONG: the withheld part belongs to another row")
print(f"GOOD: row {proof['index']} of {size}, signed by {name}\n{leaf}\n{own or ''}")
