"""Ports in words: `web 443:8443/tcp`, `27015-27030/udp`. Pure."""

from collections.abc import Iterable, Iterator

from portmap.model import PortRequest, at_host

MOST = 8  # items in a line; of more, the first and the last one are shown


def asked_text(mappings: Iterable[Iterable[PortRequest]]) -> str:
    """Mappings as they were asked for, each with its name and external port; shortened where there are many."""
    return _joined([text for requests in mappings for text in _texts(requests)])


def ports_text(requests: Iterable[PortRequest]) -> str:
    """Ports, those of a protocol together and ports that follow each other as one item."""
    return _joined(_texts(requests))


def _texts(requests: Iterable[PortRequest]) -> list[str]:
    return [_text(run[0], run[-1]) for run in _runs(requests)]


def _joined(items: list[str]) -> str:
    return " ".join(items) if len(items) <= MOST else f"{items[0]} … {items[-1]} ({len(items)} in all)"


def span(first: int, last: int) -> str:
    """A port, or the first and the last one of a range."""
    return str(first) if first == last else f"{first}-{last}"


def _text(first: PortRequest, last: PortRequest) -> str:
    name = f"{first.name} " if first.name else ""
    inner = span(first.internal_port, last.internal_port) if first.internal_port else "follow"
    outer = f"{span(first.external_port, last.external_port)}:" if first.external_port else ""
    return f"{name}{outer}{inner}{at_host(first.host)}/{first.protocol.lower()}"


def _runs(requests: Iterable[PortRequest]) -> Iterator[list[PortRequest]]:
    """The requests in runs of ports that follow each other, inside and outside."""
    run: list[PortRequest] = []
    for request in sorted(requests, key=lambda it: it.protocol):  # the order of the ports stays
        if run and not _follows(run[-1], request):
            yield run
            run = []
        run.append(request)
    if run:
        yield run


def _follows(before: PortRequest, after: PortRequest) -> bool:
    step = 1 if before.external_port else 0
    return (after.protocol, after.name, after.host, after.internal_port, after.external_port) == (
        before.protocol,
        before.name,
        before.host,
        before.internal_port + 1,
        before.external_port + step,
    )
