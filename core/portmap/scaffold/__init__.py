"""A package to start a plugin from: it works, its contract test passes, and the rest is the author's.

Names are checked before anything is written, and nothing that is there is ever written over.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from portmap import __version__
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue

LONGEST = 40  # characters of a name
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_COMMON = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "__init__.py": "$module/__init__.py",
    "test_contract.py": "tests/test_contract.py",
}
_TYPED = "$module/py.typed"


@dataclass(frozen=True, slots=True)
class _PackageKind:
    """What is written for one group of plugins: its name for people, its templates' folder and modules."""

    group: str
    word: str
    folder: str
    modules: tuple[str, ...]


BACKEND = _PackageKind(BACKENDS, "backend", "backend_template", ("backend.py", "gateway.py"))
PUBLISHER = _PackageKind(PUBLISHERS, "publisher", "publisher_template", ("publisher.py", "target.py"))


def write_package(name: str, parent: Path, kind: _PackageKind = BACKEND) -> Path:
    """Write the package `portmap-NAME` into a new folder of `parent`; that folder. Raises SpecError."""
    words = _words(name, kind)
    folder = parent / f"portmap-{name}"
    written = _COMMON | {module: f"$module/{module}" for module in kind.modules}
    try:
        folder.mkdir()
        for template, target in written.items():
            _write(folder / Template(target).substitute(words), _read(kind, template).substitute(words))
        _write(folder / Template(_TYPED).substitute(words), "")
    except FileExistsError as error:
        raise SpecError(f"{folder} is there already: choose another name, or another --dir") from error
    except OSError as error:
        raise SpecError(f"{folder} cannot be written: {error.strerror}; choose another --dir") from error
    return folder


def _words(name: str, kind: _PackageKind) -> dict[str, str]:
    """What replaces what in the templates. Raises SpecError for a name that no plugin can have."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise SpecError(
            f"{name!r} cannot be a {kind.word}'s name: use a to z, digits and single hyphens, a letter first, "
            f"{LONGEST} characters at the most, as in acme or acme-2000"
        )
    for plugin in Catalogue(kind.group).plugins:
        if name in plugin.names:
            raise SpecError(f"the name {name!r} is taken by {plugin}: choose another")
    return {
        "name": name,
        "module": f"portmap_{name.replace('-', '_')}",
        "version": ".".join(__version__.split(".")[:2]),
    }


def _read(kind: _PackageKind, template: str) -> Template:
    return Template((files(__name__) / kind.folder / f"{template}.template").read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
