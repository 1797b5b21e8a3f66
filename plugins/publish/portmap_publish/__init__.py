"""The publishers `exec`, `file`, `http` and `https`.

command         the command line for one change; pure
exec_publisher  the publisher `exec`
file_publisher  the publisher `file`
http_publisher  the publishers `http` and `https`
port_changes    what changed about a port; pure
process         run one command, bounded
"""

from portmap_publish.exec_publisher import ExecPublisher
from portmap_publish.file_publisher import FilePublisher
from portmap_publish.http_publisher import HttpPublisher, HttpsPublisher

__all__ = ["ExecPublisher", "FilePublisher", "HttpPublisher", "HttpsPublisher"]
