"""Replaces what differs from run to run: times, loopback addresses, drawn ports, sequence numbers, columns. Pure.

A line of a document that is nothing but an ellipsis stands for any number of lines.
"""

import re

ELLIPSIS = "…"
_LINES = re.MULTILINE
_RULES = (
    (r"^(\S* +)?\d\d:\d\d:\d\d", r"\1TIME"),
    (r"answered in \d+ ms", "answered in N ms"),
    (r"(?<=  )\d+ ms", "N ms"),
    (r'"(ts|seq|ms)":[\d.]+', r'"\1":0'),
    (r"127(\.\d+){3}|192\.168\.1\.20\b", "LOOPBACK"),
    (r"(LOOPBACK|1\.2\.3\.4|router's port|demo|demo=)([: ]?)(3[2-9]|[4-6]\d)\d{3}\b", r"\1\2PORT"),  # drawn
    (r"(localhost:\d+ has) \d+", r"\1 PORT"),
    (r"from \d+ s to \d+ s", "from N s to N s"),
    (r"enr:-\S+", "enr:-…"),
    (r"portmap:[0-9a-f]{6}:", "portmap:HOST:"),
    (r"^Network .*", "NETWORK"),  # the machine's own
    (r"[✓?] host firewall .*", "host firewall"),  # only root can look
    (r"\(process \d+\)", "(process N)"),
    (r"^ExecStart=\S+/portmap", "ExecStart=/usr/bin/portmap"),
    (r"/\S+/(portmap\.toml)", r"\1"),
    (r"(?<=\S) {2,}", "  "),
)
_TABLE = re.compile(r"^(INSTANCE|PROTO) ")
_AGO = re.compile(r"\b(\d+[dhms])+\b(?= |$)", _LINES)


def normal(text: str) -> str:
    """The text with all that made alike."""
    for pattern, instead in _RULES:
        text = re.sub(pattern, instead, text, flags=_LINES)
    return _AGO.sub("AGO", text) if _TABLE.match(text) else text


def pattern_of(shown: str) -> str:
    """The regular expression that `normal` output has to match for a document to be right."""
    lines = normal(shown).splitlines()
    return "".join(r"(?:.*\n)*" if line == ELLIPSIS else re.escape(line) + r"\n" for line in lines)
