"""Text from the network or a plugin, made safe to show: no control characters. Pure."""

_BLANKS = "\t\n\r"


def printable(text: str) -> str:
    """The text on one line; each control, format and surrogate character is a question mark.

    Thus no gateway drives a terminal, forges a second line of a log, or turns the direction of writing.
    """
    return "".join(letter if letter.isprintable() else " " if letter in _BLANKS else "?" for letter in text)
