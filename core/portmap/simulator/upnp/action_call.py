"""ActionCall: a call of an Internet Gateway Device and the router it is made on, with readers for its arguments."""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import TypeAlias

from portmap.model import MAX_LIFETIME, MAX_PORT, Protocol
from portmap.simulator.mapping_table import Entry
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.soap import Fault, SoapCall

OTHER_HOST = "127.0.0.8"  # the host that holds the ports of the quirk `bad_rows`
Results: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class ActionCall:
    """A call with all that is needed to do it; its readers raise Fault 402 for what cannot be read."""

    call: SoapCall
    client: str
    state: RouterState
    now: float

    def text(self, name: str) -> str:
        """An argument that must be there."""
        if name not in self.call.arguments:
            raise Fault(402)
        return self.call.arguments[name]

    def number(self, name: str, most: int) -> int:
        """A whole number from 0 to `most`."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
            raise Fault(402)
        return int(text)

    def protocol(self) -> Protocol:
        """TCP or UDP, in upper case only."""
        try:
            return Protocol(self.text("NewProtocol"))
        except ValueError as error:
            raise Fault(402) from error

    def entry(self) -> Entry:
        """The mapping that (NewExternalPort, NewProtocol) names. Raises Fault 714."""
        port, protocol = self.number("NewExternalPort", MAX_PORT), self.protocol()
        found = next((entry for entry in self.rows() if entry.slot == (protocol, port)), None)
        if found is None:
            raise Fault(714)
        return found

    def rows(self) -> tuple[Entry, ...]:
        """The table as it is listed: what is mapped, then the rows of the quirk `bad_rows`."""
        bad = sorted(self.state.quirks.bad_rows)
        others = (Entry(protocol, port, OTHER_HOST, port, 0) for port in bad for protocol in Protocol)
        return (*self.state.table.alive(self.now), *others)

    def port_range(self) -> tuple[int, int]:
        """NewStartPort and NewEndPort. Raises Fault 733 where they are the wrong way round."""
        first, last = self.number("NewStartPort", MAX_PORT), self.number("NewEndPort", MAX_PORT)
        if first > last:
            raise Fault(733)
        return first, last

    def requested(self) -> Entry:
        """The mapping that is asked for."""
        try:
            internal_client = str(IPv4Address(self.text("NewInternalClient")))
        except AddressValueError as error:
            raise Fault(402) from error
        return Entry(
            protocol=self.protocol(),
            external_port=self.number("NewExternalPort", MAX_PORT),
            internal_client=internal_client,
            internal_port=self.number("NewInternalPort", MAX_PORT),
            lifetime=self.number("NewLeaseDuration", MAX_LIFETIME),
            description=self.text("NewPortMappingDescription"),
        )
