"""Runs the doctor in the tests."""

from ipaddress import IPv4Address
from typing import Any

from portmap.cli.commands.doctor import DoctorArguments, run_doctor
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.examine import HostProbes, examine
from portmap.doctor.findings import Findings, HostFirewall, HostNetwork
from portmap.doctor.probes.backends import probe_targets
from portmap.model import PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.syntax.mappings import parse_mapping
from portmap.testing import Router

PORT = 25565
HERE = HostNetwork((IPv4Address("192.168.1.1"),), "eth0", IPv4Address("192.168.1.20"))
SERVED = (ListeningSocket(Protocol.TCP, IPv4Address("0.0.0.0"), PORT, "java (1)"),)  # noqa: S104  # as /proc says it
PROBES = HostProbes(lambda: HERE, lambda _: SERVED, lambda _: HostFirewall(False, "lets everything in"))
GAME = parse_mapping(str(PORT))


def specs(router: Router) -> str:
    return f"any:pmp:{router.address},upnp:{router.description_url}"


def look(spec: str, requests: tuple[PortRequest, ...] = (), **more: Any) -> Findings:
    return examine(probe_targets(spec), requests, probes=PROBES, **more)


def code(spec: str, requests: tuple[PortRequest, ...] = (), **more: Any) -> str:
    return diagnose(look(spec, requests, **more)).code


def run(spec: str, mapping: str | None = None, **how: Any) -> Outcome:
    try_it = how.pop("try_it", False)
    arguments = DoctorArguments.read(mapping, spec, how.pop("stun", None), how.pop("capture", None), try_it=try_it)
    return run_doctor(arguments, as_one_object=how.pop("json", False), report=how.pop("report", False))
