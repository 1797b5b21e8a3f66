"""Torrent clients: each is given the port that is open.

bounded_adapter       the transport of `requests`, bounded, that both libraries speak through
client                TorrentClient: read the settings, write them, read again
deluge                the publisher `deluge`
known_cookies         KnownCookies: which cookies are kept; bounded
port_choice           which open port the client shall use; pure
qbittorrent           the publisher `qbittorrent`
qbittorrent_library   the library qbittorrent-api, with that transport
transmission          the publisher `transmission`
transmission_library  the library transmission-rpc, with that transport
"""

from portmap_torrent.deluge import Deluge
from portmap_torrent.qbittorrent import QBittorrent
from portmap_torrent.transmission import Transmission

__all__ = ["Deluge", "QBittorrent", "Transmission"]
