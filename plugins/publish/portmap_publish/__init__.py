"""The publishers that need no library: a command, a file, a web address."""

from portmap_publish.exec_publisher import ExecPublisher
from portmap_publish.file_publisher import FilePublisher
from portmap_publish.http_publisher import HttpPublisher, HttpsPublisher

__all__ = ["ExecPublisher", "FilePublisher", "HttpPublisher", "HttpsPublisher"]
