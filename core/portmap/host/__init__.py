"""The host that we run on: files written with care, and the environment of the programs that we start.

environment  the environment of a child process, without our secrets
files        read and write files: no link of another user, regular files only, replaced as a whole
"""
