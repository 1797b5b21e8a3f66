"""The source of a plugin that is merely installed, sound or broken at one place."""

from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.loading.distributions import installed_entries

HANG = 9.0  # seconds that a hanging plugin hangs: no test waits for it

PLUGIN = """
import time
from ipaddress import IPv4Address
from typing import ClassVar
from portmap import Grant, Kind, Refused, NoGateway, hookimpl

{before}

class {name}({bases}):
    kind = Kind.LOOP
    preference = {preference}
    @classmethod
    def from_argument(cls, argument):
        {construct}
        return cls()
    @hookimpl
    def external_ip(self):
        {external_ip}
        return IPv4Address("{address}")
    @hookimpl
    def add_mapping(self, internal_port):
        return Grant(internal_port, 600)
    @hookimpl
    def delete_mapping(self):
        pass
    {more}
"""
DEFAULTS = {
    "name": "Acme",
    "before": "",
    "bases": "",
    "preference": "9",
    "construct": "",
    "external_ip": "",
    "address": "1.2.3.4",
    "more": "",
}
HANGS = f"time.sleep({HANG})"
HANGING_ERROR = f"""
class Odd(NoGateway):
    def __str__(self):
        time.sleep({HANG})
        return ""
class Alien(Exception):
    __str__ = Odd.__str__
"""
UNREADABLE_ERROR = """
class Odd(NoGateway):
    def __str__(self):
        raise RuntimeError("no")
class Alien(BaseException):
    __str__ = Odd.__str__
"""
META = """
class Meta(type):
    def __getattribute__(cls, name):
        if name in ({names!r},):
            raise {error}("no")
        return super().__getattribute__(name)
"""


def source(**parts: str) -> str:
    return PLUGIN.format(**{**DEFAULTS, **parts})


def odd_class(names: str, error: str = "RuntimeError") -> str:
    return source(before=META.format(names=names, error=error), bases="metaclass=Meta")


GOOD = source(name="Good", preference="0", address="9.9.9.9")
GOOD_ENTRY = "[portmap.backends]\ngood = good_nat:Good\n"


def catalogue() -> Catalogue:
    """The pretend plugins alone: no test asks the network of the machine that it runs on."""
    entries, _ = installed_entries(BACKENDS)
    return Catalogue(BACKENDS, [entry for entry in entries if entry.value.startswith(("acme_nat", "good_nat:"))])
