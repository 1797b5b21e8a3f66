"""No bytes break a parser of the simulated router: it understands them, or it says no in its own words."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from portmap.simulator import natpmp
from portmap.simulator.net import http
from portmap.simulator.pcp import packets, server
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import soap, ssdp
from portmap.simulator.upnp.gena import Subscriptions

patient = settings(max_examples=200)
pieces = st.sampled_from(
    [b"<a>", b"</a>", b"<a ", b"&b;", b"<!DOCTYPE a>", b"<![CDATA[", b"<?xml ", b"\0", b'"', b"#", b":", b" ", b"\r\n"]
)
shapes = st.lists(pieces | st.binary(max_size=8), max_size=20).map(b"".join)


@patient
@given(st.binary(max_size=32))
def test_any_datagram_gets_an_answer_or_none(data: bytes) -> None:
    request = natpmp.read(data)
    if request is not None:
        assert len(natpmp.answer(request, "127.0.0.1", RouterState(), 0.0)) in (8, 12, 16)


@patient
@given(st.binary(max_size=100), st.sampled_from([b"", b"\2\0", b"\2\1" + bytes(2), b"\2\1" + bytes(58)]))
def test_any_datagram_gets_a_pcp_answer_or_none(data: bytes, start: bytes) -> None:
    request = packets.read(start + data)
    if request is not None:
        answer = server.answer(request, "127.0.0.1", RouterState(), 0.0)
        assert 24 <= len(answer) <= packets.LONGEST
        assert (answer[0], len(answer) % 4) == (2, 0)


@patient
@given(st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE"]), shapes, shapes, shapes)
def test_any_subscription_is_had_or_refused(method: str, callback: bytes, sid: bytes, timeout: bytes) -> None:
    headers = {"callback": callback.decode("latin-1"), "sid": sid.decode("latin-1"), "nt": "upnp:event"}
    headers["timeout"] = timeout.decode("latin-1")
    if not sid:
        del headers["sid"]
    request = http.WebRequest(method, "/evt/WANIPConn1", headers)
    assert Subscriptions().respond(request, "127.0.0.1", 0.0)[1].encode()


@patient
@given(shapes)
def test_any_search_is_read_or_dropped(data: bytes) -> None:
    understood = ssdp.read(b"M-SEARCH * HTTP/1.1\r\n" + data)
    assert understood is None or understood.target


@patient
@given(shapes)
def test_any_request_is_read_refused_or_incomplete(data: bytes) -> None:
    with suppress(http.UnreadableRequest):
        request = http.read(data + b"\r\n\r\n")
        assert request is None or isinstance(request, http.WebRequest)


@patient
@given(shapes, shapes)
def test_any_call_is_read_or_is_a_fault(header: bytes, body: bytes) -> None:
    headers = {"soapaction": f'"urn:x#{header.decode("latin-1")}"'}
    with suppress(soap.Fault, soap.BareFault):
        assert soap.read(http.WebRequest("POST", "/", headers, body)).service == "urn:x"
