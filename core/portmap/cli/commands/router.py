"""`portmap router`: the simulated router as a command, for clients in any language.

It listens on the one address that it is given, loopback or private, never on all. It prints where it listens, then a
line for each request, and ends with 0 on SIGINT, SIGTERM or when the time is up.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import Enum
from ipaddress import AddressValueError, IPv4Address
from queue import Empty, SimpleQueue
from typing import Self

from portmap.cli import logs
from portmap.cli.output.json_and_tables import print_json
from portmap.cli.output.style import format_line
from portmap.cli.signals import StopSignals
from portmap.errors import SpecError
from portmap.model import Scope, scope_of
from portmap.simulator.handlers import Hearing
from portmap.simulator.pcp.packets import CLIENT_PORT, PORT
from portmap.simulator.quirk_options import SWITCHES, parse_quirks, table_markdown
from portmap.simulator.upnp.ssdp import GROUP
from portmap.simulator.upnp.ssdp import PORT as SSDP_PORT
from portmap.syntax.durations import YEAR, parse_duration
from portmap.testing import Quirks, Router, loopback_address

ALL_HOSTS = "224.0.0.1"  # RFC 6886 §3.2.1, RFC 6887 §14.1.1
ANNOUNCE = ((ALL_HOSTS, CLIENT_PORT), (ALL_HOSTS, PORT))  # the second for old drafts, as miniupnpd
LINE = 200  # characters of a request's details that fit on one line


@dataclass(frozen=True, slots=True)
class RouterArguments:
    """What the user asked for, checked. No protocol named: all of them."""

    address: str
    outside: str
    external_ip: str
    pmp: bool
    pcp: bool
    upnp: bool
    igd: int
    quirks: Quirks
    announce: bool
    seconds: int | None

    @classmethod
    def read(
        cls,
        address: str,
        outside: str | None,
        external_ip: str,
        protocols: tuple[bool, bool, bool],
        igd: int,
        quirks: Sequence[str],
        *,
        announce: bool,
        for_: str | None,
    ) -> Self:
        """Check the command line's words. Raises SpecError."""
        if igd not in (1, 2):
            raise SpecError(f"--igd {igd} is no version: use 1 or 2")
        pmp, pcp, upnp = protocols if any(protocols) else (True, True, True)
        seconds = parse_duration(for_, "--for", longest=YEAR) if for_ is not None else None
        outer = loopback_address() if outside is None else _outside(outside)
        inner = _inside(address)
        return cls(
            inner,
            outer,
            str(_address(external_ip, "--external-ip")),
            pmp,
            pcp,
            upnp,
            igd,
            parse_quirks(quirks),
            announce,
            seconds,
        )


def _address(text: str, option: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise SpecError(f"{option} {text!r} is no IPv4 address") from error


def _inside(text: str) -> str:
    address = _address(text, "--address")
    if not (address.is_loopback or address.is_link_local or scope_of(address) is Scope.PRIVATE):
        raise SpecError(
            f"--address {text} is neither loopback nor private: a simulated router belongs on no public net"
        )
    return str(address)


def _outside(text: str) -> str:
    address = _address(text, "--outside")
    if address.is_unspecified or address.is_multicast:
        raise SpecError(f"--outside {text} is no address of this host: name one")
    return str(address)


def run_router(arguments: RouterArguments, *, as_json: bool, verbosity: int) -> None:
    """Run the simulated router until a signal, or until the time is up. Raises PortmapError where a port is taken."""
    logs.set_up(verbosity)
    inbox: SimpleQueue[Hearing | None] = SimpleQueue()
    with StopSignals(lambda: inbox.put(None)), _router(arguments, inbox) as router, suppress(BrokenPipeError):
        _greet(router, arguments, as_json=as_json)
        _tell_all(inbox, arguments.seconds, as_json=as_json)


def _router(arguments: RouterArguments, inbox: SimpleQueue[Hearing | None]) -> Router:
    return Router(
        arguments.address,
        outside=arguments.outside,
        external_ip=arguments.external_ip,
        pmp=arguments.pmp,
        pcp=arguments.pcp,
        upnp=arguments.upnp,
        ssdp_port=SSDP_PORT,
        igd=arguments.igd,
        quirks=arguments.quirks,
        announce=ANNOUNCE if arguments.announce else (),
        notify=((GROUP, SSDP_PORT),) if arguments.announce else (),
        listener=inbox.put,
    )


def _tell_all(inbox: SimpleQueue[Hearing | None], seconds: int | None, *, as_json: bool) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            hearing = inbox.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except Empty:
            return
        if hearing is None:
            return
        _tell(hearing, as_json=as_json)


def _tell(hearing: Hearing, *, as_json: bool) -> None:
    details = {name: _plain(value) for name, value in hearing.details.items()}
    if as_json:
        _print_event("router.heard", request=hearing.name, client=hearing.client, details=details)
        return
    shown = " ".join(f"{name}={value}" for name, value in details.items() if value not in ("", []))
    _print(format_line("heard", f"{hearing.name} from {hearing.client} {shown}"[:LINE].rstrip(), time.time()))


def _plain(value: object) -> object:
    """A field of a request as JSON has it; control characters in a client's text are escaped."""
    match value:
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case bool() | int() | float():
            return value
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
    text = str(value)
    return text if text.isprintable() else ascii(text)


def _greet(router: Router, arguments: RouterArguments, *, as_json: bool) -> None:
    quirks = {quirk.name: getattr(arguments.quirks, quirk.name) for quirk in fields(Quirks)}
    on = {name: _plain_quirk(value) for name, value in quirks.items() if value != getattr(Quirks(), name)}
    url = router.description_url if arguments.upnp else None
    if as_json:
        _print_event(
            "router.started",
            address=router.address,
            outside=router.outside,
            external_ip=arguments.external_ip,
            pmp_port=router.pmp_port or None,
            ssdp_port=router.ssdp_port or None,
            description_url=url,
            quirks=on,
        )
        return
    rows = [
        ("router", f"{router.address}, external address {arguments.external_ip}; mappings open on {router.outside}")
    ]
    names = " and ".join(name for name, spoken in (("NAT-PMP", arguments.pmp), ("PCP", arguments.pcp)) if spoken)
    rows += [("listens", f"{names} on UDP port {router.pmp_port}")] if names else []
    rows += [("listens", f"UPnP IGD:{arguments.igd} at {url}, searches on UDP port {router.ssdp_port}")] if url else []
    rows += [("quirk", f"{name}: {SWITCHES[name].says}") for name in on]
    for word, text in rows:
        _print(format_line(word, text, time.time()))


def _plain_quirk(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def print_quirks(*, as_json: bool) -> None:
    """Print all quirks: name, what the router does, which routers do it, and the source."""
    if not as_json:
        print(table_markdown(), end="")
        return
    rows = [
        {"name": it.name, "form": it.form, "says": it.says, "seen": it.seen, "source": it.source}
        for it in SWITCHES.values()
    ]
    print_json(quirks=rows)


def _print_event(event: str, **values: object) -> None:
    print_json(ts=round(time.time(), 3), event=event, **values)


def _print(text: str) -> None:
    print(text, flush=True)  # a program may be reading the pipe line by line
