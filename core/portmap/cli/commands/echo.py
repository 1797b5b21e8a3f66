"""`portmap echo`: the responder, for a host outside."""

import asyncio
import re
import socket
from contextlib import suppress
from ipaddress import ip_address

from portmap.cli import logs
from portmap.cli.output.json_and_tables import print_json
from portmap.cli.signals import StopSignals
from portmap.errors import SpecError
from portmap.model import MAX_PORT, Address
from portmap.reachability.responder.answers import plain
from portmap.reachability.responder.server import Responder, listen

_LISTEN = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<port>[0-9]{1,5})", re.ASCII)


def parse_listen(text: str) -> tuple[str, int]:
    """`[ADDR:]PORT`, IPv6 in brackets; no address is every address. Raises SpecError."""
    parts = _LISTEN.fullmatch(text)
    if parts is None or int(parts["port"]) > MAX_PORT:
        raise SpecError(f"--listen {text!r} makes no sense: write PORT or ADDR:PORT, as in 8080 or [::1]:8080")
    return _address(parts["host"], text), int(parts["port"])


def _address(host: str | None, text: str) -> str:
    try:
        return "" if host is None else str(ip_address(host.strip("[]")))
    except ValueError:
        raise SpecError(f"--listen {text!r} has no usable address: write one, as in 192.0.2.1:8080") from None


def parse_proxy(text: str | None) -> Address | None:
    """The proxy's address. Raises SpecError."""
    try:
        return None if text is None else plain(ip_address(text))
    except ValueError:
        raise SpecError(f"--behind {text!r} is no address: name the proxy's, as in 127.0.0.1") from None


def run_echo(where: str, behind: str | None, seconds: int | None, *, as_json: bool, verbosity: int) -> None:
    """Answer until a signal, or the end of the time. Raises PortmapError where the port cannot be had."""
    host, port = parse_listen(where)
    responder = Responder(parse_proxy(behind))
    logs.set_up(verbosity)
    with listen(host, port) as listener:
        shown = f"{f'[{host}]' if ':' in host else host or '*'}:{listener.getsockname()[1]}"
        if as_json:
            print_json(event="echo.listening", address=shown)
        else:
            print(f"answering at http://{shown}/port/N; Ctrl-C ends it", flush=True)
        with suppress(TimeoutError):
            asyncio.run(_answer(responder, listener, seconds))


async def _answer(responder: Responder, listener: socket.socket, seconds: int | None) -> None:
    loop, until = asyncio.get_running_loop(), asyncio.Event()
    with StopSignals(lambda: loop.call_soon_threadsafe(until.set)):
        async with asyncio.timeout(seconds):
            await responder.serve(listener, until)
