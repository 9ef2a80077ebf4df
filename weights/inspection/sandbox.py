"""The sandbox that a process enters before it parses untrusted bytes.

Resource limits bound memory and time. On Linux on x86-64 and 64-bit ARM, a seccomp filter blocks
sockets, new processes, signals, writing to any path and lifting the sandbox. A Python audit hook
blocks the same operations; on other systems it is the only protection, and native code can bypass
it. The process can still read any file that it has permission to read.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from typing import Any

#: Bytes.
MEMORY = 1024**3
CPU_SECONDS = 60

_ERRNO_EPERM, _KILL, _ALLOW = 0x00050001, 0x80000000, 0x7FFF0000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: By machine: its audit architecture, then the system calls that are refused: sockets; processes
#: and signals; file names; mounting, tracing, loading programs and changing limits.
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (
            *(41, 42, 43, 44, 46, 49, 50, 53, 288, 307, 425),
            *(56, 57, 58, 59, 322, 435, 62, 200, 234, 424, 434),
            *(76, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133, 132, 235, 280, 437),
            *(258, 259, 260, 263, 264, 265, 266, 268, 316, 188, 189, 190),
            *(101, 160, 165, 272, 302, 308, 310, 311, 321, 175, 313),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            *(198, 199, 200, 201, 202, 203, 206, 211, 242, 269, 425),
            *(220, 221, 281, 435, 129, 130, 131, 424, 434),
            *(33, 34, 35, 36, 37, 38, 45, 52, 53, 54, 55, 88, 276, 437, 5, 6, 7),
            *(40, 97, 117, 164, 261, 268, 270, 271, 280, 105, 273),
        ),
    ),
}
#: Calls that open a path, each with the offset of its flags in `struct seccomp_data`.
_OPENS = {"x86_64": ((2, 24), (257, 32)), "aarch64": ((56, 32),)}


def enter_sandbox(mapped: int = 0) -> bool:
    """Restricts this process permanently; returns True if the seccomp filter is active.

    `mapped` is the size in bytes of a file that a library maps, in addition to the memory limit.
    """
    _set_limits(mapped)
    filtered = _install_filter()
    sys.addaudithook(_audit)
    return filtered


def _set_limits(mapped: int) -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY + mapped),
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, mapped),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # the system lacks this limit
            pass


def _install_filter() -> bool:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _CALLS:
        return False
    program = _bpf_program(machine)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    failed = prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return not failed and not prctl(
        _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0
    )


def _bpf_program(machine: str) -> bytes:
    """The filter as BPF, with one instruction of eight bytes per line."""
    name, refused = _CALLS[machine]
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if machine == "x86_64":  # the x32 ABI has its own numbers for the same calls
        lines += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]
    for number in refused:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO_EPERM)]
    for number, flags_at in _OPENS[machine]:
        lines += [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, flags_at), (_ANY_BIT, 0, 1, _WRITES)]
        lines += [(_RETURN, 0, 0, _ERRNO_EPERM), (_RETURN, 0, 0, _ALLOW)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. It allows `os.truncate`, which is needed for a file in memory."""
    if event.startswith(("socket.", "subprocess.", "ctypes.", "shutil.")):
        raise PermissionError(event)
    if event.startswith("os.") and event != "os.truncate":
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError(event)
