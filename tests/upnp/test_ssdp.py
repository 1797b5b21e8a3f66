import pytest

from portmap.errors import Garbled
from portmap_upnp.discovery.ssdp import (
    MAX_DATAGRAM,
    TARGETS,
    Advertisement,
    AdvertisementKind,
    SearchAnswer,
    m_search,
    parse_advertisement,
    parse_answer,
)

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
    assert parse_answer(answer.encode("latin-1")).location == URL


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
        parse_answer(f"HTTP/1.1 200 OK\r\nLOCATION: {URL}\r\n".encode().ljust(MAX_DATAGRAM + 1, b" "))


def test_the_boot_id_of_an_answer_is_kept() -> None:
    answer = f"HTTP/1.1 200 OK\r\nLOCATION: {URL}\r\nBOOTID.UPNP.ORG: 17\r\n\r\n"
    assert parse_answer(answer.encode()) == SearchAnswer(URL, "17")


@pytest.mark.parametrize(
    ("headers", "boot"),
    [
        ("01-NLS: cf2f9c7c-732d-11be-aad3-96b10c8ac404", "cf2f9c7c-732d-11be-aad3-96b10c8ac404"),
        ("01-NLS: 7\r\nBOOTID.UPNP.ORG: 8", "8"),
    ],
)
def test_the_signature_of_libupnp_which_it_draws_at_each_start_stands_for_a_boot_id(headers: str, boot: str) -> None:
    assert parse_answer(f"HTTP/1.1 200 OK\r\nLOCATION: {URL}\r\n{headers}\r\n\r\n".encode()).boot == boot
    notice = f"NOTIFY * HTTP/1.1\r\nNT: {TARGETS[0]}\r\nNTS: ssdp:alive\r\nLOCATION: {URL}\r\n{headers}\r\n\r\n"
    assert parse_advertisement(notice.encode()).boot == boot


@pytest.mark.parametrize("boot", ["\x1b[2J", "9" * 99, "1 2", "\u0661"])
def test_a_boot_id_that_is_none_is_not_shown_to_anybody(boot: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nLOCATION: {URL}\r\nBOOTID.UPNP.ORG: {boot}\r\n\r\n"
    assert parse_answer(answer.encode()).boot == ""


def notify(says: str, target: str = TARGETS[0], **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '.')}: {value}\r\n" for name, value in headers.items())
    return f"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: {target}\r\nNTS: {says}\r\n{more}\r\n".encode()


def test_an_alive_is_read() -> None:
    assert parse_advertisement(notify("ssdp:alive", LOCATION=URL, BOOTID_UPNP_ORG="5")) == Advertisement(
        AdvertisementKind.ALIVE, URL, "5"
    )


def test_what_an_announcement_says_is_understood_in_whatever_letter_case() -> None:
    assert parse_advertisement(notify("SSDP:Alive", LOCATION=URL)) == Advertisement(AdvertisementKind.ALIVE, URL)


def test_a_byebye_is_read() -> None:
    assert parse_advertisement(notify("ssdp:byebye", BOOTID_UPNP_ORG="5")) == Advertisement(
        AdvertisementKind.BYEBYE, "", "5"
    )


def test_an_update_names_the_boot_id_that_follows_without_a_restart() -> None:
    update = notify("ssdp:update", LOCATION=URL, BOOTID_UPNP_ORG="5", NEXTBOOTID_UPNP_ORG="6")
    assert parse_advertisement(update) == Advertisement(AdvertisementKind.UPDATE, URL, "6")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\x80\x00\x00",
        m_search(TARGETS[0]),
        notify("ssdp:alive"),
        notify("ssdp:hello", LOCATION=URL),
        notify("ssdp:alive", "urn:schemas-upnp-org:device:MediaServer:1", LOCATION=URL),
        notify("ssdp:alive", "upnp:rootdevice", LOCATION=URL),
        notify("ssdp:alive", LOCATION=URL).ljust(MAX_DATAGRAM + 1, b" "),
    ],
    ids=["empty", "binary", "search", "no location", "unknown", "media server", "any device", "too long"],
)
def test_what_is_no_gateways_announcement_is_garbled(datagram: bytes) -> None:
    with pytest.raises(Garbled):
        parse_advertisement(datagram)
