"""Stands in for `ansible-playbook`: has the warm process run it, or runs the plain one where that does not answer.

Usage: python -IS shim.py HOME PLAIN [arguments of ansible-playbook]. It sends its arguments, environment, working
directory and descriptors 0-2 over HOME/warm.sock, reads `S` (ready to start), answers `G` (go; without it the other
side gives up, so a play never runs twice) and ends with the exit code that follows. Only cheap imports: this runs
before every play.
"""

import json
import os
import socket
import sys

#: Longest wait for `S` in seconds: the warm process may still be importing.
PATIENCE = 15


def warm(home: str, arguments: list[str]) -> int | None:
    """The exit code of the play, or None when the warm process did not take it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    request = {"argv": ["ansible-playbook", *arguments], "env": dict(os.environ), "cwd": os.getcwd()}
    body = json.dumps(request).encode()
    try:
        # Through /proc, because a socket's path may not be longer than 107 bytes.
        connection.connect(f"/proc/self/fd/{os.open(home, os.O_RDONLY)}/warm.sock")
        socket.send_fds(connection, [len(body).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(body)
        if connection.recv(1) != b"S":
            return None
        connection.sendall(b"G")
    except OSError:
        return None
    connection.settimeout(None)
    for descriptor in (0, 1, 2):
        # The play holds its own copies; a terminal ends with the last of them.
        os.close(descriptor)
    try:
        code = connection.recv(1)
    except OSError:
        code = b""
    return code[0] if code else 250


def main() -> None:
    home, plain, *arguments = sys.argv[1:]
    # Nobody answers prompts here: without a terminal to read from, a play does not wait for one.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = warm(home, arguments)
    if code is None:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import keeper  # only now: most runs are kept by the warm process

        keeper.limit()
        code = keeper.keep(lambda: os.execv(plain, [plain, *arguments]))
    os._exit(code)


main()
