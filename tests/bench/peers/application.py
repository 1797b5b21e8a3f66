"""`application.py PORT sink|echo`: reads each connection to its end; with `echo` it sends back what came."""

import socket
import sys
import threading

SIZE = 1024 * 1024


def _take(connection: socket.socket, *, echo: bool) -> None:
    buffer = memoryview(bytearray(4096 if echo else SIZE))
    with connection:
        while count := connection.recv_into(buffer):
            if echo:
                connection.sendall(buffer[:count])


def main(port: str, what: str) -> None:
    """Serve until ended."""
    with socket.create_server(("127.0.0.1", int(port)), backlog=256) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_take, args=(connection,), kwargs={"echo": what == "echo"}, daemon=True).start()


main(*sys.argv[1:])
