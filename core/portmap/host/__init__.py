"""The host that we run on: files, the environment of programs that we start, other portmaps.

environment  the environment of a child process, without our secrets
claims       PortClaims: which ports we hold, and which of them another portmap of this host holds, too
files        read and write files: no link of another user, regular files only, replaced as a whole
neighbours   how the portmaps of one host find and ask each other: unix sockets, the sender known
"""
