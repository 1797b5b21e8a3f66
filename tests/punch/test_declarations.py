"""What the backend `punch` declares of itself, alone and as a part of a chain."""

import pytest

import portmap
from portmap.syntax.plugin_specs import chain_text


@pytest.mark.parametrize(
    ("spec", "relays"),
    [
        ("punch:a.example+b.example", True),
        ("punch:a.example+b.example?forward=nft", False),
        (chain_text("pmp:192.168.1.1", ("punch:a.example+b.example",)), True),
        (chain_text("pmp:192.168.1.1", ("pmp:192.168.2.1",)), False),
    ],
)
def test_who_hands_on_what_arrives_says_so(spec: str, relays: bool) -> None:
    assert portmap.load(spec).relays is relays


@pytest.mark.parametrize(
    "spec", ["punch:a.example+b.example", chain_text("pmp:192.168.1.1", ("punch:a.example+b.example",))]
)
def test_what_ends_with_the_process_says_so(spec: str) -> None:
    assert portmap.load(spec).listens_itself
