import pytest

from portmap.errors import Garbled
from portmap_upnp.ssdp import MAX_ANSWER, TARGETS, m_search, parse_answer

URL = "http://192.168.1.1:5000/rootDesc.xml"


def test_a_search_is_spelt_as_the_strictest_routers_want_it() -> None:
    assert m_search(TARGETS[0]) == (
        b"M-SEARCH * HTTP/1.1\r\n"
        b"HOST: 239.255.255.250:1900\r\n"
        b'MAN: "ssdp:discover"\r\n'
        b"MX: 1\r\n"
        b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: {URL}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nLocation:{URL}\r\n\r\n",
        f"HTTP/1.0 200 OK\r\nlocation : {URL}  \r\n\r\n",
        f"HTTP/1.1 200 OK\nlocation:\t{URL}\n",
        f"http/1.1 200\r\nLOCATION: {URL}",
        f"HTTP/1.1 200 OK\r\nno colon here\r\n\xff\xfe: \x00\r\nLOCATION: {URL}\r\n\r\n\x00\x00",
        f"HTTP/1.1 200 OK\r\nLOCATION:\r\nLOCATION: {URL}\r\nLOCATION: http://evil/\r\n\r\n",
    ],
    ids=["usual", "no space", "lower case", "LF only", "bare", "junk around", "empty first"],
)
def test_an_answer_is_understood_however_it_is_spelt(answer: str) -> None:
    assert parse_answer(answer.encode("latin-1")) == URL


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\x80\x00\x00",
        b"HTTP/1.1 200 OK\r\nST: x\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
        b"HTTP/2 200\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
        b"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
        b"HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
    ],
    ids=["empty", "binary", "no location", "404", "other version", "notify", "no status"],
)
def test_what_is_no_answer_is_garbled(datagram: bytes) -> None:
    with pytest.raises(Garbled):
        parse_answer(datagram)


def test_an_answer_that_is_too_long_is_not_read() -> None:
    with pytest.raises(Garbled, match="over the 4096"):
        parse_answer(f"HTTP/1.1 200 OK\r\nLOCATION: {URL}\r\n".encode().ljust(MAX_ANSWER + 1, b" "))
