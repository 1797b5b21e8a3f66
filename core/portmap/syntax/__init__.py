"""What a user writes, as values: specs, mappings, durations. Pure.

durations  10m, 2h, 1h30m <-> seconds
mappings   [NAME=][EXT:]INT[@HOST][/PROTO] -> port requests
plugin_specs  NAME[:ARGUMENT], and lists of them -> Spec
"""
