"""`portmap ip`: asks the gateway for its external address and prints it."""

import portmap
from portmap.backends.load import load_ipv6
from portmap.backends.nat import Nat
from portmap.cli import exit_codes, logs
from portmap.cli.output.json_and_tables import print_json
from portmap.errors import NoPublicAddress, SpecError
from portmap.model import Scope, meaning_of, scope_of
from portmap.syntax.plugin_specs import shown_spec


def print_external_ip(nat: str, *, ipv6: bool, allow_private: bool, as_json: bool, verbosity: int) -> int:
    """Print the external address; the exit code, which is 8 for one that is not public. Raises PortmapError.

    A gateway that refuses because its address is not public may state that address with the refusal.
    """
    logs.set_up(verbosity)
    gateway = _load(nat, ipv6=ipv6)
    try:
        address = gateway.external_ip()
    except NoPublicAddress as error:
        if error.external_ip is None:
            raise
        address = error.external_ip
    scope = scope_of(address)
    if as_json:
        print_json(external_ip=str(address), scope=scope, gateway=str(gateway), meaning=meaning_of(scope))
    else:
        print(address)
    if scope is Scope.PUBLIC or allow_private:
        return exit_codes.OK
    exit_codes.print_error(f"{address} is not public: {meaning_of(scope)}; use --allow-private to accept it anyway")
    return exit_codes.UNREACHABLE


def _load(nat: str, *, ipv6: bool) -> Nat:
    if not ipv6:
        return portmap.load(nat)
    backend = load_ipv6(nat)
    if backend is None:
        raise SpecError(f"{shown_spec(nat)} cannot open IPv6 ports: try pcp or upnp")
    return backend
