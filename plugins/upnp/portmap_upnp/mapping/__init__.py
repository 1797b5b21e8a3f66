"""Opens and closes a port, and tells whose entry is whose.

ownership      whose entry it is: our description, and whether its client is still there
port_forward   PortForward: what shall lead where; pure
port_mapper    open and close one port: look, ask, read back, insist
rate_limit     RateLimiter: a pause after each burst of mappings
table_listing  the gateway's table for `portmap ls`
"""
