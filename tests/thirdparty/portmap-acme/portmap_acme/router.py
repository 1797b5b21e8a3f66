"""An Acme router on loopback, for tests and for trying: `python -m portmap_acme.router ADDRESS PORT`."""

import sys
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Self

EXTERNAL_IP = "203.0.113.1"  # for documentation only: RFC 5737


@dataclass(frozen=True, slots=True)
class Port:
    """One open port, and whose it is."""

    protocol: str
    external: int
    client: str
    internal: int
    lifetime: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.external}/{self.client}/{self.internal}/{self.lifetime}"


class Router(ThreadingTCPServer):
    """Answers, until it is closed. `table` is what it holds; `silent` hears and never answers."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.table: tuple[Port, ...] = ()
        self.silent = False
        super().__init__((address, port), _Talk)

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def answer(self, words: list[str], client: str) -> str:
        """One answer to one question."""
        match words:
            case ["ADDRESS"]:
                return f"OK {EXTERNAL_IP}"
            case ["OPEN", protocol, external, internal, lifetime]:
                return self._open(Port(protocol, int(external), client, int(internal), int(lifetime)))
            case ["SHUT", protocol, internal]:
                self._shut(protocol, int(internal), client)
                return "OK"
            case ["LIST"]:
                return " ".join(["OK", *map(str, self.table)])
        return "NO such request"

    def _open(self, wanted: Port) -> str:
        mine = (wanted.protocol, wanted.internal, wanted.client)
        held = next((port.external for port in self.table if _owner(port) == mine), wanted.external)
        others = [port for port in self.table if _owner(port) != mine]
        if any((port.protocol, port.external) == (wanted.protocol, held) for port in others):
            return f"NO port {held} is taken"
        self.table = (*others, Port(wanted.protocol, held, wanted.client, wanted.internal, wanted.lifetime))
        return f"OK {held} {wanted.lifetime}"

    def _shut(self, protocol: str, internal: int, client: str) -> None:
        self.table = tuple(port for port in self.table if _owner(port) != (protocol, internal, client))


class _Talk(StreamRequestHandler):
    """One line in, one line out."""

    def handle(self) -> None:
        words = self.rfile.readline(512).decode("ascii", "replace").split()
        router = self.server
        if isinstance(router, Router) and not router.silent:
            self.wfile.write(f"{router.answer(words, self.client_address[0])}\n".encode())
        else:
            self.rfile.read(1)  # until the client gives up


def _owner(port: Port) -> tuple[str, int, str]:
    return port.protocol, port.internal, port.client


if __name__ == "__main__":
    listening = Router(sys.argv[1], int(sys.argv[2]))
    print(listening.port, flush=True)
    listening.serve_forever()
