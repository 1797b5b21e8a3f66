"""`portmap service print`: a hardened systemd unit on stdout. Nothing is installed.

Law: the unit is pure text. The command needs no root: it speaks to ports 5351 and 1900 of the gateway, and binds none
below 1024 itself; so it runs as a user made for it, without a single capability.
"""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import portmap
from portmap.cli.config_file import load_config
from portmap.errors import SpecError
from portmap.syntax.mappings import parse_mappings

WATCHDOG = 90  # seconds; three of the longest calls to a gateway
_HOMES = ("/home/", "/root/", "/run/user/")
_PLAIN = re.compile(r"[A-Za-z0-9_@/:.,+=-]+", re.ASCII)

UNIT = """\
# A hardened unit for systemd 247 and newer. To install it:
#   portmap service print … | sudo tee /etc/systemd/system/portmap.service
#   sudo systemctl daemon-reload && sudo systemctl enable --now portmap
# No root is needed: the ports that it speaks to are the gateway's own. Publishers that run commands (exec:) run them in
# here, too: loosen what they need with `systemctl edit portmap`.{warning}

[Unit]
Description=portmap: keeps ports open through NAT
Wants=network-online.target
After=network-online.target

[Service]
# Ready once every mapping was tried, not once all are up: a gateway that is away for now is no failed start.
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=kill -HUP $MAINPID
WatchdogSec={watchdog}
Restart=on-failure
RestartSec=5
# 3 s for the mappings to be deleted, and some to spare.
TimeoutStopSec=10
KillMode=mixed

DynamicUser=yes
# Remembers ports over restarts; notices for `portmap status` are there as well.
StateDirectory=portmap
StateDirectoryMode=0750
RuntimeDirectory=portmap
UMask=0027

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
# IPv4 and IPv6 for the gateway, unix for the journal, netlink to see the network change.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# MemoryDenyWriteExecute=yes would break Python's ctypes, which some of the libraries load, where libffi makes closures.

[Install]
WantedBy=multi-user.target
"""


def print_unit(mappings: Sequence[str], nat: str | None, config: Path | None) -> None:
    """Print the unit that holds these mappings, or what the configuration says. Raises SpecError and PluginError."""
    parse_mappings(mappings)
    if nat is not None:
        portmap.load(nat)
    if config is not None:
        load_config(config)
    words = [our_command()]
    if nat is not None:
        words += ["--nat", nat]
    if config is not None:
        words += ["--config", str(config.absolute())]
    print(unit_of([*words, *mappings]), end="")


def unit_of(words: Sequence[str]) -> str:
    """The unit that runs this command. Raises SpecError for a word that no unit can hold."""
    hidden = [word for word in words if word.startswith(_HOMES)]
    warning = ""
    if hidden:
        warning = (
            f"\n# WARNING: {hidden[0]} is in a home directory, which the service cannot see: install it elsewhere,"
        )
        warning += "\n# as with `pipx install --global`, or in /opt, and keep the configuration in /etc."
    return UNIT.format(command=" ".join(map(_quoted, words)), watchdog=WATCHDOG, warning=warning)


def our_command() -> str:
    """The path of this command, as a unit needs it. Raises SpecError where there is none."""
    for name in (sys.argv[0], str(Path(sys.executable).parent / "portmap"), "portmap"):
        found = shutil.which(name)
        if found is not None and Path(found).name == "portmap":
            return os.path.abspath(found)  # noqa: PTH100  # absolute, but not through links: a venv's is one
    raise SpecError("the command portmap is not on PATH: install it where the service can see it")


def _quoted(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), "Command lines"): quotes, and % and $ doubled."""
    if not word.isprintable():
        raise SpecError(f"{word!r} has characters that no unit can hold")
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
