"""Reads whether this host's own firewall blocks a port, as far as that can be read.

Reads only, within a second. On Linux only root can read rules; that ufw is on can be read by every user. What cannot be
decided is unknown, never shut.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from portmap.doctor.findings import HostFirewall

_UFW = Path("/etc/ufw/ufw.conf")
_TIMEOUT = 1.0  # seconds
_END = ("drop", "reject")

Run = Callable[[], str | None]


def read_rules() -> str | None:
    """All of nftables' rules as JSON, which includes those of iptables-nft; None where there is no such tool."""
    command = ["nft", "-j", "list", "ruleset"]  # found on PATH, wherever the system has put it
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def read_firewall(ports: Collection[int], read: Run = read_rules, ufw: Path = _UFW) -> HostFirewall:
    """Whether this host's firewall blocks these ports."""
    if sys.platform != "linux":
        return HostFirewall(None, "not looked at on this system")
    if os.geteuid() != 0:
        on = _ufw_is_on(ufw)
        return HostFirewall(
            None, "ufw is on: allow the port there; its rules need root to be read" if on else _UNREADABLE
        )
    rules = read()
    if rules is None:
        return HostFirewall(None, "not readable (is nft installed?)")
    return evaluate(rules, ports)


_UNREADABLE = "not readable (needs root)"


def evaluate(rules: str, ports: Collection[int]) -> HostFirewall:
    """What nftables' rules (`nft -j list ruleset`) mean for these ports; pure.

    A port is shut only where a chain drops everything at its end and no rule of that table mentions the port.
    """
    try:
        return _evaluate([dict(item) for item in json.loads(rules)["nftables"]], ports)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return HostFirewall(None, "has rules that portmap does not understand")


def _evaluate(items: list[dict[str, Any]], ports: Collection[int]) -> HostFirewall:
    for family, table, chain in _strict_chains(items):
        said = [json.dumps(rule.get("expr", [])) for rule in _in(items, "rule", family, table)]
        if not all(any(_mentions(text, port) for text in said) for port in ports):
            return HostFirewall(True, f"its chain {table}/{chain} drops what no rule allows, and none names the port")
        return HostFirewall(None, f"its chain {table}/{chain} is strict, but a rule names the port")
    return HostFirewall(False, "lets everything in")


def _strict_chains(items: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(family, table, name) of the chains for incoming packets that drop what no rule allows."""
    for item in items:
        chain = item.get("chain", {})
        if chain.get("hook") != "input" or chain.get("family") not in ("ip", "inet"):
            continue
        rules = [it for it in _in(items, "rule", chain["family"], chain["table"]) if it.get("chain") == chain["name"]]
        if chain.get("policy") == "drop" or (rules and _refuses_all(rules[-1].get("expr", []))):
            yield chain["family"], chain["table"], chain["name"]


def _in(items: list[dict[str, Any]], kind: str, family: str, table: str) -> list[dict[str, Any]]:
    found = [item[kind] for item in items if kind in item]
    return [it for it in found if (it.get("family"), it.get("table")) == (family, table)]


def _refuses_all(expression: list[dict[str, Any]]) -> bool:
    """Whether a rule drops every packet that reaches it."""
    words = [word for part in expression for word in part if word != "counter"]
    return len(words) == 1 and words[0] in _END


def _mentions(text: str, port: int) -> bool:
    """Whether a rule may mean the port: it names the port, a range or a set."""
    return '"dport"' in text and (re.search(rf"\b{port}\b", text) is not None or '"range"' in text or '"@' in text)


def _ufw_is_on(conf: Path) -> bool:
    try:
        return "ENABLED=yes" in conf.read_text(errors="replace")
    except OSError:
        return False
