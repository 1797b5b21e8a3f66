"""Bad inputs from good ones: at random, and as a table of the largest that each target can be sent.

An input is a seed with a few changes, so that it gets past the first checks and fails deep inside. All chance
comes from the Random that is handed in: hypothesis's (it can shrink), a seeded one, or the long run's.
"""

import re
from collections.abc import Iterator
from random import Random

from tests.fuzz.targets import Target

_HUGE = (
    b"0",
    b"-1",
    b"65536",
    b"4294967296",
    b"9" * 30,
    b"9" * 5000,
    b"-" + b"f" * 20,
    b"0x10",
    b"1e5",
    b" 1",
    b"\xd9\xa1",
)
_TIMES = (1, 1, 2, 3, 17, 40, 300, 2000)
_MOST_CHANGES = 4


def draw(target: Target, random: Random) -> bytes:
    """A seed, or words only, with a few changes."""
    data = random.choice(target.seeds) if random.random() < 0.9 else b"".join(random.choices(_words(target), k=8))
    return mutate(data, target, random)


def mutate(data: bytes, target: Target, random: Random) -> bytes:
    """One to a few changes, cut at the target's limit."""
    for _ in range(random.randint(1, _MOST_CHANGES)):
        change = random.choice(_CHANGES)
        data = change(data, target, random)[: target.limit]
    return data


def extremes(target: Target) -> Iterator[bytes]:
    """Each word repeated up to the limit at every place of every seed where one may begin, or at some ten of them."""
    for word in target.words:
        yield word * (target.limit // len(word))
        for seed in target.seeds:
            places = _places(seed)
            for place in places[:: 1 + len(places) // 10]:
                yield seed[:place] + word * (max(0, target.limit - len(seed)) // len(word)) + seed[place:]


def _words(target: Target) -> tuple[bytes, ...]:
    return target.words + _HUGE


def _places(data: bytes) -> list[int]:
    """Where something begins or ends: words, lines, elements."""
    return [found.start() for found in re.finditer(rb"\b|(?<=[\n<>\"'])|(?=[\r<>])|$", data[:8192])] or [0]


def _stretch(data: bytes, random: Random) -> tuple[int, int]:
    places = _places(data)
    begin = random.randrange(len(places))
    return places[begin], places[min(begin + random.choice((1, 2, 5, 20, 100)), len(places) - 1)]


def _truncated(data: bytes, _target: Target, random: Random) -> bytes:
    return data[: random.randint(0, len(data))]


def _flipped(data: bytes, _target: Target, random: Random) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + bytes(byte ^ (1 << random.randint(0, 7)) for byte in data[at : at + 1]) + data[at + 1 :]


def _inserted(data: bytes, target: Target, random: Random) -> bytes:
    at = random.choice(_places(data))
    return data[:at] + random.choice(_words(target)) * random.choice(_TIMES) + data[at:]


def _overwritten(data: bytes, target: Target, random: Random) -> bytes:
    begin, end = _stretch(data, random)
    return data[:begin] + random.choice(_words(target)) + data[end:]


def _noisy(data: bytes, _target: Target, random: Random) -> bytes:
    begin, end = _stretch(data, random)
    return data[:begin] + bytes(random.randint(0, 255) for _ in range(random.randint(0, 8))) + data[end:]


def _spliced(data: bytes, target: Target, random: Random) -> bytes:
    other = random.choice(target.seeds)
    return data[: random.choice(_places(data))] + other[random.choice(_places(other)) :]


def _repeated(data: bytes, _target: Target, random: Random) -> bytes:
    """A stretch several times over: a header, an element, an entry, twice or two thousand times."""
    begin, end = _stretch(data, random)
    return data[:begin] + data[begin:end] * random.choice(_TIMES) + data[end:]


def _wrapped(data: bytes, target: Target, random: Random) -> bytes:
    """Nesting: the word before, and something like its end behind."""
    word, times = random.choice(_words(target)), random.choice(_TIMES)
    return word * times + data + word.replace(b"<", b"</", 1) * times


def _renumbered(data: bytes, _target: Target, random: Random) -> bytes:
    """One of the numbers in the text, replaced."""
    numbers = list(re.finditer(rb"[0-9]+", data[:8192]))
    if not numbers:
        return data
    old = random.choice(numbers)
    return data[: old.start()] + random.choice(_HUGE) + data[old.end() :]


_CHANGES = (
    _truncated,
    _flipped,
    _inserted,
    _overwritten,
    _noisy,
    _spliced,
    _repeated,
    _wrapped,
    _renumbered,
)
