"""The Acme Port Protocol: one line to the router, one line back, over TCP.

Raises portmap errors only. Every answer is checked.
"""

import socket
import time

from portmap import Garbled, GatewayTimeout, NoGateway, Refused

TIMEOUT = 3.0  # seconds for one question
LONGEST = 512  # bytes of an answer


def ask(router: tuple[str, int], question: str, timeout: float = TIMEOUT) -> list[str]:
    """The words after OK. Raises NoGateway, GatewayTimeout, Refused or Garbled."""
    try:
        with socket.create_connection(router, timeout=timeout) as connection:
            connection.sendall(f"{question}\n".encode())
            line = _line(connection, time.monotonic() + timeout)
    except TimeoutError as error:
        raise GatewayTimeout(f"Acme router {router[0]} did not answer within {timeout:g} s: is it on?") from error
    except OSError as error:
        raise NoGateway(f"no Acme router at {router[0]}:{router[1]} ({error.strerror}): check the address") from error
    return _understood(line, router[0])


def _line(connection: socket.socket, deadline: float) -> bytes:
    """One line, or what there is when it grows too long or the router hangs up."""
    received = b""
    while b"\n" not in received and len(received) < LONGEST:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(LONGEST)
        if not part:
            break
        received += part
    return received


def _understood(line: bytes, router: str) -> list[str]:
    text = line.decode("ascii", "replace").strip()
    verdict, _, rest = text.partition(" ")
    if verdict == "NO":
        raise Refused(f"Acme router {router} said no: {rest[:60]!r}", text=rest)
    if verdict != "OK":
        raise Garbled(f"Acme router {router} answered {text[:60]!r}, which is neither OK nor NO")
    return rest.split()
