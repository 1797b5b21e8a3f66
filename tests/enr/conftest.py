"""The node of the example in EIP-778, "Test Vectors"."""

import pytest

from portmap_enr.identity import Identity


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity(0xB71C71A67E1177AD4E901695E1B4B9EE17AE16C6668D313EAC2F96DBCDA3F291)
