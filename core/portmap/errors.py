"""Every error that portmap raises, by whose turn it is to act.

Law: a message says what happened, to whom, and what to try. `SpecError` is the user's to mend, `PluginError` the
plugin author's, `NATError` the network's. Wire code lets no `OSError` and no `struct.error` out: it raises these.
"""


class PortmapError(Exception):
    """The root: catch this to catch everything that portmap raises on purpose."""


class SpecError(PortmapError, ValueError):
    """What the user asked for makes no sense: a spec, a port, a duration, a key file. Nothing was sent."""


class PluginError(PortmapError):
    """A plugin could not be loaded or broke the contract of `portmap.hookspecs`; the text names the plugin."""


class NATError(PortmapError):
    """The gateway did not do what was asked. The loop catches exactly this, and tries again."""


class NoGateway(NATError):
    """Nobody there speaks the protocol: nothing found, no route, or the port answered with ICMP unreachable."""


class GatewayTimeout(NATError):
    """A gateway was addressed and did not answer within the deadline."""


SILENCE = (NoGateway, GatewayTimeout)  # nobody said a word: neither yes nor no


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


class Conflict(Refused):
    """Somebody else holds the external port (UPnP 718 or 729), and no other port would do."""


class OnlyPermanentLeases(Refused):
    """The gateway knows no lifetimes (UPnP 725, by some routers 402)."""


class NotAuthorized(Refused):
    """Mapping is switched off or forbidden for this host (NAT-PMP and PCP result 2, UPnP 606)."""


class OutOfResources(Refused):
    """The gateway's table is full (NAT-PMP 4, PCP 8, UPnP 728)."""


def error_name(error: PortmapError | None) -> str:
    """The error as programs know it: the name of its class in `portmap.errors`, or of the nearest one there."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__module__ == __name__), "")
