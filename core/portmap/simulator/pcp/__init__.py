"""PCP, server side (RFC 6887).

packets   PCP packets, both directions
pinholes  PCP MAP by IPv6
rules     lifetimes, refusals, addresses for every PCP answer
server    PCP requests -> answers
"""
