"""Text that came from elsewhere, made fit for a terminal. Pure."""


def harmless(text: str) -> str:
    """Without control characters: a gateway's or a plugin's words shall not drive a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
