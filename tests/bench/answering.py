"""``python -I -S answering.py ADDRESS PORT``: a notebook server that only says that it is there.

It imports next to nothing: what all servers of a race cost to start, with the hub on one machine,
would be counted as the hub's time.
"""

from __future__ import annotations

import socket
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def main(address: str, port: int) -> None:
    """Answer each connection, until the process is ended."""
    server = socket.create_server((address, port))
    while True:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(_ANSWER)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
