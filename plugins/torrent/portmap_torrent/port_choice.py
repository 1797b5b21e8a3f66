"""Which of the open ports a torrent client is to listen on. Pure.

A client tells its peers the port that it listens on, so the port that the gateway opened must be that very
port: either the client follows (`follow`), or the gateway opened the same port outside as inside.
"""

from portmap.endpoints import Endpoints, OpenPort
from portmap.errors import PortmapError
from portmap.model import Protocol


def choose_port(state: Endpoints, name: str = "") -> int | None:
    """The port of the mapping of that name, else of the first that is to be followed, else of the first TCP one.

    A mapping to another host counts only by its name. None while there is none. Raises PortmapError for one that no
    client could be reached at.
    """
    choice = (port for port in state.mappings if (port.name == name if name else not port.host))
    mappings = sorted(choice, key=_rank)
    return _checked(mappings[0]) if mappings else None


def _rank(port: OpenPort) -> tuple[bool, bool]:
    return not port.follow, port.protocol is not Protocol.TCP


def _checked(port: OpenPort) -> int:
    if not port.follow and port.external_port != port.internal_port:
        raise PortmapError(
            f"the gateway opened port {port.external_port} for {port.protocol} {port.internal_port}, and a torrent "
            f"client is only reached at the port that it listens on: ask for another port, or for one to follow"
        )
    return port.external_port
