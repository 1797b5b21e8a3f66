"""The error tree: every error that portmap raises, and the name of an error for JSON.

Rules:
- A message says what happened, to whom, and what to try.
- `SpecError` is for the user to mend, `PluginError` for the plugin's author; `NATError` comes from the network.
- Wire code raises these, never `OSError` or `struct.error`.
"""

from portmap.printable import printable

TYPE_CHECKING = False  # as typing's, which takes 10 ms to import
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


class PortmapError(Exception):
    """The root: catch this to catch everything that portmap raises on purpose.

    Its text is printable: words of the network in it cannot drive a terminal or forge a line of a log.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class SpecError(PortmapError, ValueError):
    """What the user asked for makes no sense: a spec, a port, a duration, a key file. Nothing was sent."""


class PluginError(PortmapError):
    """A plugin could not be loaded or broke the contract of `portmap.hookspecs`; the text names the plugin."""


class NATError(PortmapError):
    """The gateway did not do what was asked. The loop catches exactly this, and tries again."""


class NoGateway(NATError):
    """No gateway speaks the protocol: none found, no route, or the port answered with ICMP unreachable."""


class GatewayTimeout(NATError):
    """A gateway was addressed and did not answer within the deadline."""


SILENCE = (NoGateway, GatewayTimeout)  # there was no answer: the call may have had an effect or not


class Garbled(NATError):
    """An answer that breaks the protocol: wrong length, wrong port, port 0, XML with a DTD."""


class Refused(NATError):
    """The gateway understood and said no.

    `code` is the protocol's own number (RFC 6886 §3.5, RFC 6887 §7.4, UPnP errorCode), `text` its own words.
    `retry_after` is for how many seconds the gateway said that it would answer the same (RFC 6887 §7.4), 0 if it did
    not say.
    """

    def __init__(self, message: str, *, code: int = 0, text: str = "", retry_after: float = 0) -> None:
        super().__init__(message)
        self.code = code
        self.text = text
        self.retry_after = retry_after


class NotYet(Refused):
    """The gateway is there, but it states its external address only with a mapping, and there is none yet (PCP)."""


class UnverifiedGateway(NotYet):
    """A gateway answered that no default route names and that the user did not name: its address is not believed."""


class NoPublicAddress(Refused):
    """The gateway has no public address: another NAT is in front of it (double NAT, CGNAT), or its uplink is down.

    `external_ip` is the gateway's own outer address where its answer has one, else None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        text: str = "",
        retry_after: float = 0,
        external_ip: "IPv4Address | IPv6Address | None" = None,
    ) -> None:
        super().__init__(message, code=code, text=text, retry_after=retry_after)
        self.external_ip = external_ip


class Conflict(Refused):
    """Another client holds the external port (UPnP 718 or 729), and no other port would do."""


class OnlyPermanentLeases(Refused):
    """The gateway knows no lifetimes (UPnP 725, by some routers 402)."""


class NotAuthorized(Refused):
    """Mapping is switched off or forbidden for this host (NAT-PMP and PCP result 2, UPnP 606)."""


class OutOfResources(Refused):
    """The gateway's table is full (NAT-PMP 4, PCP 8, UPnP 728)."""


def error_kind(error: PortmapError) -> str:
    """The class of an error and the protocol's code, without its words: the same kind again is no news.

    A gateway that words every refusal anew fills no log.
    """
    return f"{error_name(error)} {error.code if isinstance(error, Refused) else 0}"


def error_name(error: PortmapError | None) -> str:
    """The error as programs know it: the name of its class in `portmap.errors`, or of the nearest one there."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__module__ == __name__), "")
