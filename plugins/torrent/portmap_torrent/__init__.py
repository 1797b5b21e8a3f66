"""The publishers `qbittorrent`, `transmission` and `deluge`: the open port becomes the client's listening port."""

from portmap_torrent.deluge import Deluge
from portmap_torrent.qbittorrent import QBittorrent
from portmap_torrent.transmission import Transmission

__all__ = ["Deluge", "QBittorrent", "Transmission"]
