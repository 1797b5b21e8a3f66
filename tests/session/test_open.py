"""The arguments of `portmap.open`: what is accepted, and one sentence for what is not."""

import inspect
from pathlib import Path
from typing import Any

import pytest

import portmap
from portmap.cli.commands.open import open_ports
from portmap.errors import SpecError
from portmap.loop.policy import OnConflict
from portmap.model import PortRequest, Protocol

TCP_25565 = PortRequest(Protocol.TCP, 25565)


@pytest.mark.parametrize(
    "mappings",
    [[25565], "25565", 25565, ("25565",), iter(["25565/tcp"]), TCP_25565, [TCP_25565], {25565: "a dict's keys"}],
    ids=["ports", "text", "port", "texts", "iterator", "request", "requests", "keys"],
)
def test_a_mapping_is_a_port_a_text_or_a_request_alone_or_in_a_list(mappings: Any) -> None:
    with portmap.open("none", mappings) as session:
        assert [request.key for request in session.requests] == [TCP_25565.key]


def test_a_port_can_be_added_by_its_number() -> None:
    with portmap.open("none", []) as session:
        session.add(25565)
        assert [request.key for request in session.requests] == [TCP_25565.key]


@pytest.mark.parametrize("mapping", ["8123@192.168.1.50/tcp", "follow"])
def test_over_ipv6_alone_what_has_no_pinhole_is_refused_before_anything_is_sent(mapping: str) -> None:
    with pytest.raises(SpecError, match="has no IPv6 pinhole: leave out -6"):
        portmap.open("pcp", mapping, ipv4=False)
    with pytest.raises(SpecError, match="has no IPv6 pinhole: leave out -6"):
        open_ports("pcp", [mapping], None, None, ipv4=False)


def test_one_publisher_needs_no_list(tmp_path: Path) -> None:
    with portmap.open("none", 25565, publish=f"file:{tmp_path / 'port'}") as session:
        assert len(session.publishers) == 1


@pytest.mark.parametrize("word", [OnConflict.FAIL, "fail"])
def test_what_to_do_in_a_conflict_is_a_member_or_its_word(word: OnConflict | str) -> None:
    with portmap.open("none", [], on_conflict=word) as session:
        assert session._policy.on_conflict is OnConflict.FAIL


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mappings": None}, r"None are no mappings: write a list"),
    ({"mappings": 1.5}, r"1\.5 are no mappings: write a list"),
    ({"mappings": [1.5]}, r"1\.5 is no mapping: write a port"),
    ({"mappings": [True]}, r"True is no mapping"),
    ({"mappings": True}, r"True is no mapping"),
    ({"mappings": [("80", "tcp")]}, r"is no mapping: write a port"),
    ({"mappings": [0]}, r"port 0 is out of range"),
    ({"mappings": [70000]}, r"port 70000 is out of range"),
    ({"mappings": [-5]}, r"mapping '-5' has '' where a port is due"),
    ({"mappings": b"80"}, r"b'80' is no mapping: write text"),
    ({"nat": None}, r"NoneType is no backend: write a spec"),
    ({"nat": 5}, r"int is no backend"),
    ({"on_conflict": "explode"}, r"on_conflict 'explode' makes no sense: use 'next' or 'fail'"),
    ({"on_conflict": None}, r"on_conflict None makes no sense"),
    ({"on_conflict": True}, r"on_conflict True makes no sense"),
    ({"lease": "10m"}, r"lease '10m' makes no sense: use a number of seconds"),
    ({"lease": 0}, r"lease 0 makes no sense"),
    ({"lease": True}, r"lease True makes no sense"),
    ({"ip_interval": "60"}, r"ip_interval '60' makes no sense"),
    ({"ip_interval": 0}, r"ip_interval 0 makes no sense"),
    ({"ip_interval": float("nan")}, r"ip_interval nan makes no sense"),
    ({"state": 5}, r"state 5 is no folder: write its path, or None"),
    ({"state": b"/tmp"}, r"state b'/tmp' is no folder"),
    ({"state": ""}, r"state '' is no folder"),
    ({"state": "a\0b"}, r"is no folder"),
    ({"prove": 5}, r"prove 5 is no responder: write its URL"),
    ({"interface": "a b"}, r"the interface 'a b' cannot be: a name has up to 15 bytes"),
    ({"interface": ""}, r"the interface '' cannot be"),
    ({"interface": "nowhere0"}, r"there is no interface nowhere0: use one of|on Linux only"),
    ({"interface": "eth1", "nat": "pmp on eth0"}, r"two interfaces are named, eth0 and eth1"),
    ({"interface": "eth1", "nat": portmap.load("none")}, r"an interface, needs the gateway as a spec"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG, ids=[repr(wrong) for wrong, _ in WRONG])
def test_what_makes_no_sense_is_a_spec_error_in_one_sentence(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(portmap.SpecError, match=says) as caught:
        portmap.open(**{"nat": "none", "mappings": [], **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", [5, b"pmp", None])
def test_what_is_no_spec_is_no_backend(spec: Any) -> None:
    with pytest.raises(portmap.SpecError, match="is no backend: write a spec, as in 'any'"):
        portmap.load(spec)


def test_a_session_shows_what_it_is() -> None:
    with portmap.open("none", [25565]) as session:
        assert repr(session) == "<Session no NAT, 0 of 1 ports open>"
    assert repr(session) == "<Session no NAT, ended>"


def test_a_backend_shows_what_it_is() -> None:
    assert repr(portmap.load("extip:1.2.3.4")) == "<Nat extip 1.2.3.4>"


@pytest.mark.timeout(10)
def test_events_end_when_none_came_for_the_time_given() -> None:
    with portmap.open("extip:1.2.3.4", [25565]) as session:
        heard = [event.event for event in session.events(timeout=0.3)]
    assert "mapping.added" in heard


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_an_async_session_has_all_of_a_session() -> None:
    assert public(portmap.Session) <= public(portmap.AsyncSession)


@pytest.mark.parametrize("name", sorted(public(portmap.Session)))
def test_the_methods_of_an_async_session_take_the_same_arguments(name: str) -> None:
    ours, theirs = getattr(portmap.Session, name), getattr(portmap.AsyncSession, name)
    if inspect.isfunction(ours):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("name", ["on_event", "on_record", "on_settled", "on_end"])
def test_what_a_path_tells_its_session_is_private(name: str) -> None:
    assert not hasattr(portmap.Session, name)


def test_every_class_of_events_is_exported() -> None:
    from portmap import events  # noqa: PLC0415  # beside the test that needs it

    classes = {name for name, kind in vars(events).items() if isinstance(kind, type) and issubclass(kind, events.Event)}
    assert classes <= set(portmap.__all__)


@pytest.mark.parametrize("name", portmap.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(portmap, name)
