"""Plugins: found by entry point, loaded and validated one by one, within a time limit.

catalog        find plugins by entry point, load and validate them one by one
construct      construct a plugin from its spec argument
distributions  the entry points of the installed distributions, each read on its own
other_entries  whether others may have entry points, seen without importlib.metadata
own_entries    the entry points of our own distribution, without importlib.metadata
time_limit     run plugin code on a thread with a time limit
"""
