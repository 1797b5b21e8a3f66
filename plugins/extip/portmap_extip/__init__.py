"""External addresses that need no gateway: given by hand, by host name, by interface.

argument         `extip:ARGUMENT`
backend          the backend `extip`
hostname         a host name, looked up again
interface        the backend `if`
linux_addresses  an interface's addresses on Linux
"""

from portmap_extip.backend import ExtIp
from portmap_extip.interface import Interface

__all__ = ["ExtIp", "Interface"]
