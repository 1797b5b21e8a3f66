"""A page of metrics, and what a scraper reads."""

import urllib.request
from typing import Any

from portmap.events import (
    PortAdded,
)
from portmap.model import Protocol

TCP: dict[str, Any] = {"protocol": Protocol.TCP, "internal_port": 8080}
ADDED = PortAdded(**TCP, external_port=80, lifetime=600, name="web")


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def page(url: str) -> dict[str, float]:
    """Every sample of the page."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
        text = answer.read().decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
