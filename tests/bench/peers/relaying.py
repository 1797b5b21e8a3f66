"""punch's relay alone: `relaying.py PORT TARGET` hands connections to 127.0.0.1:TARGET."""

import asyncio
import socket
import sys

from portmap_punch.tcp_relay import MAX_CONNECTIONS, TcpRelay


async def _serve(port: int, target: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    listener.setblocking(False)
    await TcpRelay(listener, ("127.0.0.1", target), max_of_one=MAX_CONNECTIONS).serve()


asyncio.run(_serve(*map(int, sys.argv[1:])))
