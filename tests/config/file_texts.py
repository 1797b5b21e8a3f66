"""Configuration files that the tests share."""

from portmap.config.settings import (
    Instance,
    MappingText,
    SettingsLayer,
)

FULL = """
nat = "upnp"
lease = "1h"
ip_interval = 30
state = "none"
on_conflict = "fail"
publish = ["file:/run/ports"]

[[map]]                 # web=443:8443
name = "web"
port = 8443
external = 443

[[map]]
port = "27015-27016"
protocol = "udp"
lease = "10m"

[[map]]
name = "bt"
port = "follow"
protocol = "both"
nat = "protonvpn"
publish = []

[[instance]]
name = "home"
nat = "pmp:192.168.1.1"

[[instance.map]]
port = 22000
protocol = "both"
"""
NOTHING = SettingsLayer()


def asked(instance: Instance) -> list[tuple[str, int, int, str, int]]:
    return [(it.protocol, it.internal_port, it.external_port, it.name, it.lifetime) for it in instance.requests(600)]


def home(*mappings: MappingText) -> Instance:
    return Instance(name="home", mappings=mappings)
