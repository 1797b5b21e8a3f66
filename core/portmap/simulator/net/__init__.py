"""The simulator's sockets, timers and HTTP. Knows no protocol of gateways.

announcer    repeats an announcement
http         HTTP messages
http_server  the HTTP port
impairment   loss, duplication, reordering, truncation
reactor      one thread: sockets, timers, calls
relay        forwards TCP and UDP to the internal client
udp_port     one UDP port
"""
