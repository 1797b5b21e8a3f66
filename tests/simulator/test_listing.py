"""What the router tells of its mappings, one by one and as a list, and the quirks of that."""

import html
from collections.abc import Callable
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest
from tests.simulator.conftest import RANGE

Behind: TypeAlias = Callable[..., Any]


def test_list_ends_with_another_code(lan: Behind) -> None:
    host = lan(list_ends_with=402)
    assert host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["error"] == "402"


@pytest.mark.parametrize("code", ["714", "401", "600", "606"])
def test_read_back_is_an_error_code_though_the_mapping_is_there(lan: Behind, code: str) -> None:
    host = lan(read_back=code)
    assert (host.add(), host.remaining()) == ("", code)


@pytest.mark.parametrize(("how", "status"), [("http_404", 404), ("http_500", 500)])
def test_read_back_is_an_http_status_and_no_body(lan: Behind, how: str, status: int) -> None:
    host = lan(read_back=how)
    host.add()
    assert host.post("GetSpecificPortMappingEntry", **host.MAPPING) == (status, "")


@pytest.mark.parametrize(("how", "port"), [("empty", ""), ("zero", "0")])
def test_read_back_is_worthless(lan: Behind, how: str, port: str) -> None:
    host = lan(read_back=how)
    host.add()
    assert host.call("GetSpecificPortMappingEntry", **host.MAPPING)["NewInternalPort"] == port


@pytest.mark.parametrize("action", ["GetGenericPortMappingEntry", "GetListOfPortMappings"])
def test_no_list_refuses_to_list(lan: Behind, action: str) -> None:
    assert lan(no_list=606).call(action, NewPortMappingIndex="0", **RANGE)["error"] == "606"


@pytest.mark.parametrize(
    ("how", "client"),
    [
        ("name", "host-127-0-0-1.lan"),
        ("padded", "127.000.000.001"),
        ("prefix", "127.0.0.1/24"),
        ("blanks", " 127.0.0.1\n "),
    ],
)
def test_client_as_is_how_the_host_is_listed(lan: Behind, how: str, client: str) -> None:
    host = lan(client_as=how)
    host.add()
    assert host.call("GetSpecificPortMappingEntry", **host.MAPPING)["NewInternalClient"] == client
    assert client in html.unescape(
        host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["NewInternalClient"]
    )


def test_bad_rows_hold_their_ports_and_are_no_xml(lan: Behind) -> None:
    host = lan(bad_rows=frozenset({20001}))
    assert (host.add(), host.add(NewExternalPort="20002")) == ("718", "")
    status, text = host.post("GetGenericPortMappingEntry", NewPortMappingIndex="1")
    assert status == 200
    assert "<NewPortMappingDescription>\xb5Torrent & friends<" in text
    assert host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["NewExternalPort"] == "20002"


def test_bad_rows_spoil_the_whole_list(lan: Behind) -> None:
    text = lan(bad_rows=frozenset({20001})).post("GetListOfPortMappings", **RANGE)[1]
    with pytest.raises(ET.ParseError):
        ET.fromstring(text[text.index("<p:") : text.index("]]>")])  # noqa: S314  # our own


def test_the_list_of_a_range_has_each_mapping_with_its_values(lan: Behind) -> None:
    host = lan()
    host.add()
    host.add(NewProtocol="UDP")
    text = host.post("GetListOfPortMappings", **RANGE)[1]
    (row,) = ET.fromstring(text[text.index("<p:") : text.index("]]>")])  # noqa: S314  # our own
    assert {leaf.tag.partition("}")[2]: leaf.text or "" for leaf in row} == {
        "NewRemoteHost": "",
        "NewExternalPort": "20001",
        "NewProtocol": "TCP",
        "NewInternalPort": "20001",
        "NewInternalClient": "127.0.0.1",
        "NewEnabled": "1",
        "NewDescription": "portmap:web",
        "NewLeaseTime": "600",
    }


def test_a_range_is_deleted_at_once_and_730_where_it_is_empty(lan: Behind) -> None:
    host = lan()
    host.add()
    host.add(NewExternalPort="20002")
    assert host.call("DeletePortMappingRange", **RANGE) == {}
    assert host.router.entries == ()
    assert host.call("DeletePortMappingRange", **RANGE)["error"] == "730"


def test_prunes_hides_behind_the_lease(lan: Behind, clock: Any) -> None:
    host = lan(prunes=60.0)
    host.add()
    clock.now += 59
    assert host.remaining() == "541"
    clock.now += 1
    assert host.remaining() == "714"
