"""Values that the tests share."""

from ipaddress import IPv4Address

SERVER, OTHER = IPv4Address("192.168.1.1"), IPv4Address("192.168.1.254")
FIRST, SECOND = IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")
