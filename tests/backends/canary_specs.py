"""Backends' specs with a canary in their argument, right and mistyped."""

from tests.canary import CANARY, mistakes

import portmap
from portmap.doctor.probes.backends import probe_targets
from portmap.errors import PortmapError

SPECS = (
    *(
        f"{name}:{argument}"
        for name in ("pmp", "protonvpn", "pcp")
        for argument in (
            CANARY,
            f"me:{CANARY}@192.168.1.1",
            f"192.168.1.1:{CANARY}",
            f"192.168.1.1/{CANARY}",
            f"192.168.1.1%{CANARY}",
            f"http://me:{CANARY}@192.168.1.1:5351/",
            f"2001:db8::1%{CANARY}",
            f"fe80::1%{CANARY}/6/4",
            f"fe80::1%{'x' * 60}{CANARY}",
        )
    ),
    *(
        f"{name}:{argument}"
        for name in ("upnp", "miniupnpc")
        for argument in (
            CANARY,
            f"http://me:{CANARY}@192.168.1.1:5000/rootDesc.xml",
            f"http://192.168.1.1:5000/{CANARY}?key={CANARY}",
            f"http://8.8.8.8:5000/{CANARY}",
            f"http://192.168.1.1:{CANARY}/",
            f"http://{CANARY}.example.org/",
            f"http://[fe80::1%25eth0]:5000/{CANARY}",
            f"http://[{CANARY}]:5000/",
            f"http://192.168.1.1:0/{CANARY}",
            f"//192.168.1.1/{CANARY}",
        )
    ),
    *(
        f"extip:{argument}"
        for argument in (CANARY, f"me:{CANARY}@203.0.113.7", f"203.0.113.7/{CANARY}", f"fe80::1%{CANARY}")
    ),
    *(f"if:{argument}" for argument in (CANARY, f"me:{CANARY}@eth0", f"eth0/{CANARY}", f"http://me:{CANARY}@eth0")),
    *(
        f"{name}:{argument}"
        for name in ("stun", "punch")
        for argument in (
            f"me:{CANARY}@stun.example.org",
            f"_{CANARY}@stun.example.org:3478",
            f"stun.example.org:{CANARY}",
            f"[{CANARY}]:3478",
            f"[::1]{CANARY}",
            f"stun.example.org+_{CANARY}",
            f"http://me:{CANARY}@stun.example.org/",
            f"stun.example.org?forward={CANARY}",
            f"stun.example.org?{CANARY}",
        )
    ),
    f"pmp:192.168.1.1,upnp:http://me:{CANARY}@192.168.1.1/",
    f"upnp:http://192.168.1.1/{CANARY},upnp:http://192.168.1.1/{CANARY}",
    f"pcp:{CANARY},pmp",
    f"any:{CANARY}",
    f"any:pmp:{CANARY},pcp",
    f"pmp,extip:{CANARY}",
    f"none:{CANARY}",
)
MISTAKES = sorted({text for spec in SPECS for text in mistakes(spec)})


def is_refused(spec: str) -> bool:
    for act in (portmap.load, probe_targets):
        try:
            act(spec)
        except PortmapError:
            continue
        return False
    return True
