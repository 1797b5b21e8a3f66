"""The publishers that need no library: a command, a file, a web address."""

from portmap_publish.executor import ExecPublisher
from portmap_publish.file import FilePublisher
from portmap_publish.http import HttpPublisher, HttpsPublisher

__all__ = ["ExecPublisher", "FilePublisher", "HttpPublisher", "HttpsPublisher"]
