"""The library's front: `portmap.open`, sessions, events, asyncio and trio.

aio           AsyncSession and aopen
event_stream  EventStream: backlog and subscribers
open          portmap.open: arguments -> running Session
session       Session
state         SessionState: open ports, address, why a port is missing; pure
wakeup        wake an asyncio or trio task from a thread
check         `portmap.check`: words -> one verdict per port
prover  Prover: proves from outside that the ports are reachable
"""
