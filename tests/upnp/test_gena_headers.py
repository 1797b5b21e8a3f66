import time
from contextlib import suppress

import pytest

from portmap.errors import Garbled
from portmap_upnp.notifications.gena import parse_event

EVENT = b"<e:propertyset><e:property><ConnectionStatus>Up</ConnectionStatus></e:property></e:propertyset>"


@pytest.mark.parametrize("filler", [b"A: ", b"a:", b"x", b" ", b": "])
def test_headers_made_to_keep_us_busy_fail_to(filler: bytes) -> None:
    request = b"NOTIFY /x HTTP/1.1\r\n" + filler * (64_000 // len(filler))
    began = time.thread_time()
    with suppress(Garbled):
        parse_event(request, "/x", "uuid:1")
    assert time.thread_time() - began < 0.05


@pytest.mark.parametrize("sid", [b"SID: uuid:1\r\n", b"sid:uuid:1 \n", b"X\r\nSid:\tuuid:1\r\n"])
def test_headers_are_read_however_they_are_spelt(sid: bytes) -> None:
    assert parse_event(b"NOTIFY /x HTTP/1.1\r\n" + sid + b"\r\n\r\n" + EVENT, "/x", "uuid:1") == {
        "ConnectionStatus": "Up"
    }
