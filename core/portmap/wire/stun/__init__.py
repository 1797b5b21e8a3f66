"""STUN (RFC 8489) and NAT behaviour discovery (RFC 5780): messages, for every part that asks a STUN server. Pure.

attributes  the attributes of a message
message     BindingRequest and what a server answers
servers     Server: HOST[:PORT], and where it is
"""
