"""Service descriptions: they say what the simulated router does."""

from collections.abc import Callable
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest

from portmap.simulator.upnp import firewall_control, igd
from portmap.simulator.upnp.scpd import scpd
from portmap.simulator.upnp.soap import COMMON, FIREWALL, WAN_IP, WAN_PPP
from portmap.testing import Heard

Behind: TypeAlias = Callable[..., Any]
NAMESPACE = "{urn:schemas-upnp-org:service-1-0}"


def described(service: str, version: int = 2) -> ET.Element:
    return ET.fromstring(scpd(service, version))  # noqa: S314  # our own


def names(document: ET.Element, path: str) -> list[str]:
    return [element.text or "" for element in document.findall(path.replace("/", f"/{NAMESPACE}"))]


@pytest.mark.parametrize(
    ("service", "version", "actions"),
    [
        (WAN_IP, 2, {name for name, it in igd.ACTIONS.items() if it.service == WAN_IP}),
        (WAN_IP, 1, {name for name, it in igd.ACTIONS.items() if it.service == WAN_IP and it.since == 1}),
        (WAN_PPP, 2, {name for name, it in igd.ACTIONS.items() if it.service == WAN_IP and it.since == 1}),
        (COMMON, 2, {name for name, it in igd.ACTIONS.items() if it.service == COMMON}),
        (FIREWALL, 2, set(firewall_control.ACTIONS)),
    ],
)
def test_the_actions_are_those_that_are_done(service: str, version: int, actions: set[str]) -> None:
    assert set(names(described(service, version), "./actionList/action/name")) == actions


@pytest.mark.parametrize("service", [WAN_IP, WAN_PPP, COMMON, FIREWALL])
def test_every_argument_has_a_variable_that_is_described(service: str) -> None:
    document = described(service)
    related = names(document, "./actionList/action/argumentList/argument/relatedStateVariable")
    variables = names(document, "./serviceStateTable/stateVariable/name")
    assert set(related) == set(variables)
    assert len(set(variables)) == len(variables)


def test_the_results_of_an_action_are_those_that_are_described(lan: Behind) -> None:
    host = lan()
    host.add()
    for action in described(WAN_IP).findall(f".//{NAMESPACE}action"):
        name = action.findtext(f"{NAMESPACE}name") or ""
        if name.startswith(("Get", "AddAny")):
            out = [it for it in action.iter(f"{NAMESPACE}argument") if it.findtext(f"{NAMESPACE}direction") == "out"]
            asked = {"NewStartPort": "1", "NewEndPort": "9", "NewManage": "0", "NewNumberOfPorts": "0"}
            results = host.post(name, NewPortMappingIndex="0", **asked, **host.MAPPING)[1]
            assert all(f"<{it.findtext(f'{NAMESPACE}name')}>" in results for it in out)


@pytest.mark.parametrize("page", ["WANIPConn1", "WANCommonIFC1"])
def test_the_url_in_the_description_leads_there(lan: Behind, page: str) -> None:
    host = lan()
    assert f"<SCPDURL>/{page}.xml</SCPDURL>" in host.description()
    status, _, text = host.fetch("GET", f"/{page}.xml")
    assert (status, "<actionList>" in text) == (200, True)
    assert host.router.heard == Heard(description=1, scpd=1)
