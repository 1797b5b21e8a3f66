"""The core loop: leases, their renewal, the gateway and what changes. One thread owns the state.

debounce         Debounce: at most one round a second; pure
gateway_monitor  GatewayMonitor: asks for the external address, tells found, lost, changed
gateway_state    GatewayState: reachable, address, next check; pure
inbox            Inbox: messages and time for the loop's thread
lease            Lease: one mapping's state and what each outcome implies; pure
lease_events     which event a change of a lease is; pure
lease_manager    LeaseManager: ask, renew, move, give back, delete
lease_parts      the parts of a lease: held, trouble, doubt, pair; pure
lease_table      LeaseTable: all leases, by key and by next wake-up; stores and announces outcomes
leftovers        LeftoverCleaner: deletes what an earlier session left at the gateway
loop             Loop: take a message or do the one thing that is due
mapping_check    MappingCheck: is one listed still; one mapping replaced by another
mapping_client   MappingClient: a lease as backend calls (add, delete)
pairing          equal external ports for TCP and UDP, and for `follow`; pure
policy           Policy and OnConflict: what the owner may choose
renewal_order    which of TCP and UDP is asked first; pure
"""
