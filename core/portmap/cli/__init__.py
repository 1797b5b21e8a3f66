"""The command `portmap`. Law: this folder reads words and prints lines; what happens, happens in the library.

What only one command needs is imported by that command: `portmap --version` and a Tab key pay for nothing else.
"""

from portmap.cli.app import main

__all__ = ["main"]
