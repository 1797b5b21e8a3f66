import pytest

from portmap.errors import Garbled, NATError, NoGateway, NotAuthorized, Refused
from portmap_upnp.control.soap import ErrorWithoutCode, build_request, parse_reply


def envelope(inner: str) -> bytes:
    body = f"<s:Body>{inner}</s:Body>"
    return f'<?xml version="1.0"?><s:Envelope xmlns:s="urn:s">{body}</s:Envelope>'.encode()


def fault(code: str) -> bytes:
    error = f"<UPnPError><errorCode>{code}</errorCode><errorDescription>Why</errorDescription></UPnPError>"
    return envelope(f"<s:Fault><faultcode>s:Client</faultcode><detail>{error}</detail></s:Fault>")


YES = envelope("<u:DeletePortMappingResponse/>")


def test_the_values_of_a_reply_are_read() -> None:
    reply = envelope("<u:AResponse><NewUptime> 5 </NewUptime><NewName>a &amp; b</NewName></u:AResponse>")
    assert parse_reply("A", 200, reply) == {"NewUptime": "5", "NewName": "a & b"}


def test_a_reply_without_values_is_a_yes() -> None:
    assert "NewUptime" not in parse_reply("DeletePortMapping", 200, YES)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_fault_is_a_refusal_whatever_the_http_status(status: int) -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", status, fault("718"))
    assert (caught.value.code, caught.value.text) == (718, "Why")


@pytest.mark.parametrize(("text", "code"), [("-911", -911), ("", 0), ("x", 0), ("9" * 5000, 0), ("\u0667", 0)])
def test_an_odd_error_code_is_harmless(text: str, code: int) -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", 500, fault(text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["718 ConflictInMappingEntry", "718, conflict", " 718\n", "ConflictInMappingEntry", "718<!-- taken -->"]
)
def test_an_error_code_counts_with_words_beside_it_or_in_its_place(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", 500, fault(text))
    assert caught.value.code == 718


def test_where_there_is_no_error_code_the_standards_words_in_the_description_count() -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", 500, fault("").replace(b"Why", b"OnlyPermanentLeasesSupported"))
    assert caught.value.code == 725


def test_where_the_fault_has_no_error_code_at_all_the_standards_words_count() -> None:
    words = b"<UPnPError><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError>"
    with pytest.raises(Refused) as caught:
        parse_reply("A", 500, envelope("<s:Fault><detail>#</detail></s:Fault>").replace(b"#", words))
    assert caught.value.code == 718


@pytest.mark.parametrize(
    "inner", ["<s:Fault/>", "<s:Fault><faultcode>s:Client</faultcode></s:Fault>", "<Fault>No</Fault>"]
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_fault_without_a_reason_is_no_yes_whatever_the_http_status(status: int, inner: str) -> None:
    with pytest.raises(ErrorWithoutCode, match=r"fault|500"):
        parse_reply("AddPortMapping", status, envelope(inner))


def test_an_error_code_without_an_end_counts() -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", 200, fault("718").replace(b"</errorCode>", b""))
    assert caught.value.code == 718


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"<html>Not found</html>", NoGateway),
        (404, b"", NoGateway),
        (405, b"no XML", NoGateway),
        (401, b"", NotAuthorized),
        (403, b"<html/>", NotAuthorized),
        (500, b"", Garbled),
        (302, b"", Garbled),
        (500, YES, Garbled),
        (200, b"<html/>", Garbled),
        (200, b"garbage", Garbled),
        (200, b'<!DOCTYPE x [<!ENTITY y "z">]><Envelope><AResponse/></Envelope>', Garbled),
    ],
)
def test_what_is_no_yes_is_an_error(status: int, body: bytes, error: type[NATError]) -> None:
    with pytest.raises(error):
        parse_reply("A", status, body)


def test_a_call_is_soap_with_a_quoted_action_and_its_arguments_in_order() -> None:
    request = build_request("urn:s:1", "A", {"NewRemoteHost": "", "NewPort": 7})
    assert request.headers["SOAPAction"] == '"urn:s:1#A"'
    inner = b'<u:A xmlns:u="urn:s:1"><NewRemoteHost></NewRemoteHost><NewPort>7</NewPort></u:A>'
    assert inner in (request.body or b"")


def test_a_value_is_escaped() -> None:
    assert b"<NewName>a&lt;b&gt; &amp; \xc3\xa9</NewName>" in (
        build_request("u", "A", {"NewName": "a<b> & \u00e9"}).body or b""
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"\r\n", envelope(""), envelope("<u:Other/>")])
def test_an_empty_success_is_a_success_without_values(status: int, body: bytes) -> None:
    assert "NewName" not in parse_reply("A", status, body)


@pytest.mark.parametrize(
    "body",
    [
        b"<s:Envelope><s:Body><s:Fault><errorCode>718</errorCode><errorDescription>\xff& <</s:Fault>",
        b"\x00\x01<u:errorCode >  718 </u:errorCode> rubbish <<<",
        b"HTTP junk <errorCode>718</errorCode>",
        fault("718")[:-30],
        fault("718").replace(b"Why", b"\xf0 & \x02"),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_a_legible_error_code_counts_whatever_is_around_it(status: int, body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_reply("A", status, body)
    assert caught.value.code == 718
