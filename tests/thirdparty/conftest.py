"""Distributions of other people: `tests/test_thirdparty.py` installs them into an environment of their own."""

collect_ignore_glob = ["portmap-*"]
