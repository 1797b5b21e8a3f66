"""Torrent clients: each is given the port that is open.

client        TorrentClient: look, write, look again
deluge        the publisher `deluge`
port_choice   which open port the client shall use; pure
qbittorrent   the publisher `qbittorrent`
transmission  the publisher `transmission`
"""

from portmap_torrent.deluge import Deluge
from portmap_torrent.qbittorrent import QBittorrent
from portmap_torrent.transmission import Transmission

__all__ = ["Deluge", "QBittorrent", "Transmission"]
