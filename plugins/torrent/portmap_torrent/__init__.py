"""Publishers for torrent clients, through their own web interfaces."""
