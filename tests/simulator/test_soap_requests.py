"""In how many ways a client may write a SOAP call, and which of them are refused."""

from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, TypeAlias

import pytest
from tests.simulator.conftest import ENVELOPE, RANGE, SERVICE

Behind: TypeAlias = Callable[..., Any]


@pytest.mark.parametrize("action", ["GetListOfPortMappings", "DeletePortMappingRange"])
def test_a_range_the_wrong_way_round_is_inconsistent(lan: Behind, action: str) -> None:
    assert lan().call(action, **(RANGE | {"NewStartPort": "2", "NewEndPort": "1"}))["error"] == "733"


@pytest.mark.parametrize("header", [f"{SERVICE}#GetExternalIPAddress", f'"{SERVICE}#GetExternalIPAddress"'])
def test_a_soapaction_need_not_be_quoted(lan: Behind, header: str) -> None:
    host = lan()
    assert host.fetch("POST", "/ctl/IPConn", ENVELOPE, SOAPAction=header)[0] == 200


@pytest.mark.parametrize("header", ["", "x", '"'])
def test_a_call_without_an_action_is_a_bad_request(lan: Behind, header: str) -> None:
    assert lan().fetch("POST", "/ctl/IPConn", ENVELOPE, SOAPAction=header)[0] == 400


def test_a_chunked_call_is_done(lan: Behind) -> None:
    host = lan()
    with closing(HTTPConnection(host.router.address, host.router.http_port, timeout=5)) as connection:
        headers = {"SOAPAction": f'"{SERVICE}#GetExternalIPAddress"'}
        parts = (ENVELOPE[:20].encode(), ENVELOPE[20:].encode())
        connection.request("POST", "/ctl/IPConn", iter(parts), headers, encode_chunked=True)
        assert b"1.2.3.4" in connection.getresponse().read()


@pytest.mark.parametrize(
    ("name", "status"),
    [("rebound.example", 404), ("127.0.0.1:80", 200), ("[::1]", 200), ("127.0.0.1", 200), ("router:5000", 404)],
)
def test_a_host_by_name_is_not_found(lan: Behind, name: str, status: int) -> None:
    assert lan().fetch("GET", "/desc.xml", Host=name)[0] == status
