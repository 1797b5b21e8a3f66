"""Gateways with filter rules."""

from portmap.model import Protocol

TCP, UDP = Protocol.TCP, Protocol.UDP
PORT = 4001
LEASE = 600
