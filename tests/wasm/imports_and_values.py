"""On CPython as built for WebAssembly: every module is imported, and the tests of values run, listed in tests.txt.

Warnings are errors. There are neither threads nor sockets there, so no other test can run.
"""

import importlib
import pkgutil
import sys
import warnings
from pathlib import Path
from types import ModuleType

SITE, CHECKOUT = "/site", "/checkout"  # where run.mjs mounts them
PACKAGES = ["portmap", *(f"portmap_{name}" for name in ("enr", "extip", "natpmp", "pcp", "publish", "punch", "stun"))]
PACKAGES += ["portmap_torrent", "portmap_upnp"]
# Each needs a C library that has no build for WebAssembly: cryptography and pycryptodome, or miniupnpc.
NOT_THERE = {"portmap_enr.identity", "portmap_upnp.control.miniupnpc_client", "portmap_upnp.miniupnpc_backend"}
# Tests in these files that start a thread or a process, or measure CPU time of a thread.
LEFT_OUT = "many_threads or compile_warning or made_to_keep_us_busy or a_library_gets_of_a_backend"


def imported() -> int:
    """Import every module of ours; the number of those that fail, each of which is printed."""
    names = [module.name for package in map(importlib.import_module, PACKAGES) for module in _modules_of(package)]
    failed = 0
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  # told, and counted
            if name not in NOT_THERE:
                print(f"{name} cannot be imported: {type(error).__name__}: {error}")
                failed += 1
    print(f"Python {sys.version.split()[0]}: {failed} of {len(names)} modules cannot be imported")
    return failed


def tested() -> int:
    """The exit status of pytest."""
    import pytest  # noqa: PLC0415  # after the filter for warnings, as everything from /site

    tests = Path(CHECKOUT, "tests")
    files = [str(tests / name) for name in (tests / "wasm" / "tests.txt").read_text().split()]
    surroundings = ["-c", "/dev/null", "--rootdir", CHECKOUT, "--noconftest", "--import-mode", "importlib"]
    plugins = ["-p", "no:cacheprovider", "-p", "no:faulthandler"]
    words = ["-q", "-W", "error", *surroundings, *plugins, "-k", f"not ({LEFT_OUT})", *files]
    return int(pytest.main(words, plugins=[Examples()]))


class Examples:
    """What `tests/conftest.py` does, which is not loaded here."""

    def pytest_configure(self) -> None:
        """Once Hypothesis has been prepared by pytest, which may not happen before."""
        from tests.examples import judge_no_time  # noqa: PLC0415  # see above

        judge_no_time()


def _modules_of(package: ModuleType) -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.walk_packages(package.__path__, f"{package.__name__}."))


sys.path[:0] = [SITE, CHECKOUT]
warnings.simplefilter("error")
imported() or tested()
