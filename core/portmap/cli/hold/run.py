"""`portmap run MAPPING… -- CMD`: hold the mappings while a program lives, and tell it where it can be reached.

Standard output is the program's; what portmap has to say goes to stderr.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from portmap.cli import INTERRUPTED, logs
from portmap.cli.exit_codes import print_error
from portmap.cli.hold.arguments import HoldArguments
from portmap.cli.hold.child_process import ChildProcess, check_program
from portmap.cli.hold.human_lines import HumanLines
from portmap.cli.hold.sessions import session_opener
from portmap.cli.output.events import as_json_line
from portmap.cli.output.style import style_of
from portmap.cli.state_folder import state_folder
from portmap.errors import NATError
from portmap.events import Event
from portmap.model import Mapping
from portmap.session.session import Session


def run_with_child(arguments: HoldArguments, words: Sequence[str], *, timeout: int, anyway: bool) -> int:
    """The program's exit code. Raises PortmapError where its ports cannot be had within `timeout` seconds.

    `anyway`: then it is started all the same, and the ports are tried on.
    """
    logs.set_up(arguments.verbosity, print_error)
    check_program(words)
    child = ChildProcess(words)
    (instance,) = arguments.instances()  # mappings on the command line make one
    open_session = session_opener(state_folder(arguments.said.state))
    with child.signals(), open_session(instance).session as session:
        renewals = arguments.verbosity > 0
        human = HumanLines([instance], quiet=arguments.quiet, renewals=renewals, style=style_of(sys.stderr))
        _tell(session, as_json_line if arguments.json else partial(human, instance.name))
        child.on_stop_before_start(session.stop)
        try:
            session.wait(timeout)
        except NATError:
            if not (anyway or child.stopped_before_start):
                raise
        started = child.start(environment_of(session.mappings or session.pinholes, session.gateway))
        return child.wait(arguments.seconds) if started else INTERRUPTED


def environment_of(mappings: Sequence[Mapping], gateway: str) -> dict[str, str]:
    """What a program is told: the first mapping as PORTMAP_EXTERNAL_PORT and the like, and each under its own name.

    PORTMAP_WEB_PORT for a mapping named web, PORTMAP_TCP_8080_PORT for one that has none.
    """
    told = {"PORTMAP_GATEWAY": gateway}
    for mapping in reversed(mappings):
        name = mapping.name or f"{mapping.protocol}_{mapping.internal_port}"
        told[f"PORTMAP_{_word(name)}_PORT"] = str(mapping.external_port)
        told |= {
            "PORTMAP_NAME": mapping.name,
            "PORTMAP_PROTOCOL": mapping.protocol.value,
            "PORTMAP_EXTERNAL_PORT": str(mapping.external_port),
            "PORTMAP_INTERNAL_PORT": str(mapping.external_port if mapping.follow else mapping.internal_port),
            "PORTMAP_EXTERNAL_IP": "" if mapping.external_ip is None else str(mapping.external_ip),
        }
    return told


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _tell(session: Session, show: Callable[[Event, float], str | None]) -> None:
    def tell() -> None:
        for event in session.events():
            if (text := show(event, time.time())) is not None:
                print(text, file=sys.stderr, flush=True)

    threading.Thread(target=tell, name="portmap tells", daemon=True).start()
