"""`portmap service print`: a hardened systemd unit on stdout. Nothing is installed.

The command needs no root: it speaks to ports 5351 and 1900 of the gateway, and binds none
below 1024 itself; so it runs as a user made for it, without a single capability.
"""

import errno
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from portmap.cli.config_file import can_be_read_by_all, load_config, option_with_password
from portmap.cli.exit_codes import print_error
from portmap.config.settings import SettingsLayer
from portmap.errors import SpecError
from portmap.host.files import real_path

NAME = "portmap-nat"  # of the unit
CREDENTIAL = "${CREDENTIALS_DIRECTORY}/portmap.toml"  # systemd.exec(5), LoadCredential=
_RELOAD = "ExecReload=kill -HUP $MAINPID"
_NO_RELOAD = "# No ExecReload=: the copy below is made at the start. After a change: systemctl restart portmap-nat"
WATCHDOG = 90  # seconds; three of the longest calls to a gateway
_HOMES = ("/home/", "/root/", "/run/user/")
_PLAIN = re.compile(r"[A-Za-z0-9_@/:.,+=-]+", re.ASCII)

UNIT = """\
# A hardened unit for systemd 247 and newer. To install it:
#   portmap service print … | sudo tee /etc/systemd/system/{name}.service
#   sudo systemctl daemon-reload && sudo systemctl enable --now {name}
# The name portmap.service is taken on Debian: it is an alias of rpcbind's.
# No root is needed: the ports that it speaks to are the gateway's own. Publishers that run commands (exec:) run them in
# here, too: loosen what they need with `systemctl edit {name}`.{warning}

[Unit]
Description=portmap: keeps ports open through NAT
Wants=network-online.target
After=network-online.target

[Service]
# Ready once every mapping was tried, not once all are up: a gateway that is away for now is no failed start.
Type=notify
NotifyAccess=main
ExecStart={command}
{reload}
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
{more}
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


def print_unit(
    options: Sequence[str],
    mappings: Sequence[str],
    *,
    flags: SettingsLayer,
    config: Path | None = None,
) -> None:
    """Print the unit that runs portmap with these options, `config` and mappings. Raises SpecError.

    `flags`: what the options say.
    """
    if config is None and not mappings and flags.nat is None and flags.publish is None:
        raise SpecError("no port was named for the service: write one, as in portmap service print 25565, or --config")
    command = [our_command(), *options]
    credential = None
    if config is not None:
        file = config.absolute()
        load_config(file)
        credential = None if can_be_read_by_all(file) else file
        command += ["--config", CREDENTIAL if credential else str(file)]
    if (option := option_with_password(flags)) is not None:
        flag = option.flags[0]
        print_error(f"every user can read a unit, and this one has a password: put {flag} into a file (--config)")
    command += mappings
    print(unit_of(command, credential=credential, state=flags.state), end="")


def unit_of(words: Sequence[str], *, credential: Path | None = None, state: str | None = None) -> str:
    """The unit that runs this command. Raises SpecError for a word that no unit can hold.

    `credential`: a configuration that only its owner can read. `state`: a state folder of the user's own.
    """
    hidden = [word for word in words if word.startswith(_HOMES)]
    warning = ""
    if hidden:
        warning = (
            f"\n# WARNING: {hidden[0]} is in a home directory, which the service cannot see: install it elsewhere,"
        )
        warning += "\n# as with `pipx install --global`, or in /opt, and keep the configuration in /etc."
    more = []
    if credential is not None:
        more += ["# systemd reads the file as root, and hands the service a copy that only the service can read."]
        more += [f"LoadCredential=portmap.toml:{_path(credential)}"]
    if state not in (None, "none"):
        more += [f"ReadWritePaths={_path(_state_folder(str(state)))}"]
    return UNIT.format(
        name=NAME,
        command=" ".join(map(_quoted, words)),
        reload=_NO_RELOAD if credential else _RELOAD,
        more="\n".join([*more, ""]) if more else "",
        watchdog=WATCHDOG,
        warning=warning,
    )


def our_command() -> str:
    """The path of this command, as a unit needs it. Raises SpecError where there is none."""
    for name in (sys.argv[0], str(Path(sys.executable).parent / "portmap"), "portmap"):
        found = shutil.which(name)
        if found is not None and Path(found).name == "portmap":
            return os.path.abspath(found)  # noqa: PTH100  # absolute, but not through links: a venv's is one
    raise SpecError("the command portmap is not on PATH: install it where the service can see it")


def _state_folder(text: str) -> Path:
    """The folder, there or not. Raises SpecError for what can be none."""
    try:
        folder = real_path(Path(text))
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise SpecError(f"the state folder {text} cannot be used: {error.strerror}; choose another") from error
    return folder


def _path(path: Path) -> str:
    """A path as a setting's value. Raises SpecError for one that systemd would split or expand."""
    text = str(path)
    if not _PLAIN.fullmatch(text):
        raise SpecError(f"{text!r} has characters that a unit cannot hold in a path: choose a plainer one")
    return text


def _quoted(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), "Command lines"): quotes, and % and $ doubled."""
    if word == CREDENTIAL:
        return word
    if not word.isprintable():
        raise SpecError(
            "an argument has characters that no unit can hold: leave out line breaks and control characters"
        )
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
