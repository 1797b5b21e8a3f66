"""Opens and closes a port, and tells whose entry is whose.

entry_maker      EntryMaker: one entry: look, ask, read back, insist, clean up
granted_leases   GrantedLeases: what was granted, and whether renewals extend leases
internal_client  whether the client of an entry, as a gateway writes it, is this host; pure
lease_choice     LeaseChoice: with a lease, or a permanent entry where the gateway knows none
ownership        whose entry it is: our description, and whether its client is still there
port_forward     PortForward and MappingRequest: what shall lead where; pure
port_mapper      PortMapper: open and close ports; chooses the external port
rate_limit       RateLimiter: a pause after each burst of mappings
table_listing    the gateway's table for `portmap ls`
table_reader     TableReader: what the table says of one port, by whichever action can be believed
"""
