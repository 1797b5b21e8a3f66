"""Whether distributions besides our own may have entry points of a group, seen without importlib.metadata.

To import that takes 10 ms, and mostly no other distribution has a plugin for us. Here only file names are listed, and
each `entry_points.txt` is searched for the group's name. Whatever importlib.metadata might see and this does not, such
as an archive on sys.path, or a finder of another kind, counts as "may have": then importlib.metadata is asked.
"""

import os
import sys
from importlib.machinery import PathFinder

from portmap.loading.own_entries import is_our_metadata

MAX_TEXT = 256 * 1024  # bytes of an entry_points.txt that are read; the largest seen have some ten thousand
_METADATA = (".dist-info", "egg-info")  # an egg on sys.path has a folder EGG-INFO


def others_may_have(group: str) -> bool:
    """Whether importlib.metadata may know entry points of the group that are not ours."""
    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        return True
    return any(_may_have(place, group) for place in sys.path)


def _may_have(place: str, group: str) -> bool:
    try:
        names = os.listdir(place or ".")  # noqa: PTH208  # a Path for each of a thousand names takes longer than all else
    except FileNotFoundError:
        return False
    except OSError:  # an archive, for one
        return True
    return any(
        _names_group(os.path.join(place, name, "entry_points.txt"), group)  # noqa: PTH118  # as above
        for name in names
        if name.lower().endswith(_METADATA) and not is_our_metadata(name)
    )


def _names_group(path: str, group: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # as above
            text = file.read(MAX_TEXT + 1)
        return len(text) > MAX_TEXT or group in text.decode()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeDecodeError):  # what is wrong with it is told by portmap.loading.distributions
        return True
