"""One connection, or one datagram, to one port. Sends nothing over the connection. Bounded in time."""

import asyncio
import socket
from contextlib import suppress

from portmap.model import Protocol
from portmap.reachability.responder.answers import Try

CONNECT = 3.0  # seconds: one SYN and its first repetition (RFC 6298 §2); echoip takes 5


async def try_port(wanted: Try, seconds: float = CONNECT) -> bool:
    """Whether a TCP connection was accepted within `seconds`; for UDP whether a datagram could be sent."""
    if wanted.protocol is Protocol.UDP:
        return _send(wanted)
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(str(wanted.address), wanted.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _send(wanted: Try) -> bool:
    family = socket.AF_INET if wanted.address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(wanted.token.encode(), (str(wanted.address), wanted.port))
    except OSError:
        return False
    return True
