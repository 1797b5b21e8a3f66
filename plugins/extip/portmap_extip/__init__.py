"""The static backends: an address that is known beforehand, ports that are reachable as they stand, nothing sent.

`extip:203.0.113.7` and `extip:home.example.org`, also spelt `ip:…`; `if:eth0`.
"""

from portmap_extip.backend import ExtIp
from portmap_extip.interface import Interface

__all__ = ["ExtIp", "Interface"]
