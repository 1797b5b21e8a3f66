"""The commands that ask once and print: `ip` and `backends`."""

import portmap
from portmap.backends.load import load_ipv6
from portmap.backends.nat import Nat
from portmap.cli import exit_codes, logs
from portmap.cli.output.formats import print_json
from portmap.errors import SpecError
from portmap.model import Scope, meaning_of, scope_of


def print_external_ip(nat: str, *, ipv6: bool, allow_private: bool, as_json: bool, verbosity: int) -> int:
    """Print the external address; the exit code, which is not 0 for one that is not public. Raises PortmapError."""
    logs.set_up(verbosity)
    door = _door(nat, ipv6=ipv6)
    address = door.external_ip()
    scope = scope_of(address)
    if as_json:
        print_json(external_ip=str(address), scope=scope, gateway=str(door), meaning=meaning_of(scope))
    else:
        print(address)
    if scope is Scope.PUBLIC or allow_private:
        return exit_codes.OK
    exit_codes.print_error(f"{address} is not public: {meaning_of(scope)}; --allow-private takes it all the same")
    return exit_codes.UNREACHABLE


def _door(nat: str, *, ipv6: bool) -> Nat:
    if not ipv6:
        return portmap.load(nat)
    door = load_ipv6(nat)
    if door is None:
        raise SpecError(f"{nat!r} knows no IPv6: try pcp or upnp")
    return door
