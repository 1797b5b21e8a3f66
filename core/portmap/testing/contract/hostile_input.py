"""What a user or an attacker may write where a plugin expects an argument or a mapping's name."""

ARGUMENTS = {
    "nothing": None,
    "empty": "",
    "a blank": " ",
    "a word": "nonsense",
    "a number": "-1",
    "too large a number": "99999999999999999999",
    "an address out of range": "256.1.1.1",
    "the unspecified address": "0.0.0.0",  # noqa: S104  # not bound to
    "a group address": "224.0.0.1",
    "an address with a zone": "fe80::1%eth0",
    "half an address": "[::1",
    "a port out of range": "127.0.0.1:99999",
    "half a URL": "http://",
    "a URL with a user": "http://user:word@127.0.0.1:1/x.xml",
    "a name to look up": "localhost",
    "another scheme": "file:///dev/null",
    "not ASCII": "1٣.☃",
    "a control character": "a\r\nb",
    "a NUL": "a\x00b",
    "a surrogate": "a\ud800b",
    "a format": "%s{0}${HOME}",
    "very long": "9" * 5000,
}
NAMES = {
    "empty": "",
    "not ASCII": "Ünïcode ☃ 日本語 🎮",
    "quotes": "a'b\"c`d\\",
    "XML": "]]></NewPortMappingDescription><evil/>&amp;<!DOCTYPE x>",
    "control characters": "a\r\nSOAPAction: b\x00\x1b[31m",
    "a surrogate": "a\ud800b",
    "a format": "%s%n{0}${HOME}",
    "very long": "x" * 300,
}
