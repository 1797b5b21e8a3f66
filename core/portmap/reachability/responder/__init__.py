"""The responder behind `portmap echo`: tells a client its address, and tries a port of that address. Never another.

answers     a request to an answer or to a port to try; pure
http        the little HTTP that this needs; pure
rate_limit  what one address may take: one try a second, few connections at once; bounded, pure
server      Responder: the sockets, with a bound on each of them
try_port    one connection, or one datagram, to one port
"""
