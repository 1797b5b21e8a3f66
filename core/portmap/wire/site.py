"""Site: a URL that the user wrote, taken apart, and whom to trust there.

Rules:
- no message repeats a part of a URL that could not be taken apart: any part of it may be a password;
- of a Site only scheme, host and port are shown: user, password, path and query may be secret.
"""

import hashlib
import hmac
import os
import re
import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from portmap.errors import PortmapError, SpecError
from portmap.model import MAX_PORT

_PORTS = {"http": 80, "https": 443}
_FORM = "write http://HOST:PORT/PATH or https://HOST:PORT/PATH"
_PIN = re.compile(r"[0-9A-Fa-f]{64}")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MIN_SECRET = 3  # characters; anything shorter is found in every text


@dataclass(frozen=True, slots=True)
class Trust:
    """Which certificate a site may show, in place of those that the system trusts.

    `ca`: a file with certificates in PEM; the site's must be among them or signed by one of them. `pin`: the SHA-256
    fingerprint of the one certificate that is accepted, whatever its name and dates say.
    """

    ca: str = ""
    pin: str = ""

    @classmethod
    def parse(cls, text: str) -> "Trust":
        """`ca=FILE` or `pin=SHA256`, as it follows `#` in a URL. Raises SpecError."""
        name, _, value = text.partition("=")
        if name not in {"ca", "pin"} or not value:
            raise SpecError("what follows # in the URL is no option: write #ca=FILE or #pin=SHA256")
        value = unquote(value)
        if name == "ca":
            return cls(ca=os.path.abspath(os.path.expanduser(value)))  # noqa: PTH100, PTH111  # text in, text out
        pin = value.lower().removeprefix("sha256:").replace(":", "")
        if not _PIN.fullmatch(pin):
            raise SpecError(
                "#pin is no SHA-256 fingerprint: write its 64 hex digits, as `openssl x509 -noout -fingerprint "
                "-sha256 -in CERTIFICATE` shows them"
            )
        return cls(pin=pin)

    def context(self) -> ssl.SSLContext:
        """The context for a connection. Raises PortmapError where the file of `ca` cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:  # ssl.SSLError is one
            reason = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise PortmapError(f"the file of #ca cannot be used: {reason}") from None
        if self.pin:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # `check` compares the whole certificate instead
        return context

    def check(self, link: ssl.SSLSocket) -> None:
        """After the handshake. Raises ssl.SSLCertVerificationError for a certificate that is not the pinned one."""
        if not self.pin:
            return
        seen = hashlib.sha256(link.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(seen, self.pin):
            error = ssl.SSLCertVerificationError("not the certificate of #pin")
            error.verify_message = "it is not the one of #pin"
            raise error


@dataclass(frozen=True, slots=True)
class Site:
    """A URL, taken apart. `path` includes the query. `user` is None where the URL names none."""

    scheme: str
    host: str
    port: int
    path: str = field(default="/", repr=False)
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)
    trust: Trust = field(default_factory=Trust, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Site":
        """Take a URL apart. Raises SpecError, which repeats nothing of it but one unusable character."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.lower() not in _PORTS:
            raise SpecError(f"the URL begins with neither http:// nor https://: {_FORM}")
        login, at, rest = _split_login(rest)
        _check_characters(login, rest)
        try:
            parts = urlsplit(f"{scheme}://{rest}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SpecError(f"the URL has an unusable host or port: {_FORM}") from None
        if not host or port == 0:
            raise SpecError(f"the URL has no host, or port 0 (use 1 to {MAX_PORT}): {_FORM}")
        trust = Trust.parse(parts.fragment) if parts.fragment else Trust()
        if parts.scheme == "http" and trust != Trust():
            raise SpecError("#ca and #pin are about certificates: write https:// in the URL")
        user, _, password = login.partition(":")
        return cls(
            parts.scheme,
            host,
            port or _PORTS[parts.scheme],
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            unquote(user) if at else None,
            unquote(password),
            trust,
        )

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as a URL and the header Host spell them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def basic(self) -> dict[str, str]:
        """The header with user and password (RFC 7617), if the URL names a user."""
        return {} if self.user is None else {"Authorization": f"Basic {self._credentials}"}

    @property
    def _credentials(self) -> str:
        return b64encode(f"{self.user}:{self.password}".encode()).decode()

    def connect(self, link: socket.socket) -> socket.socket:
        """The connection to speak through: with https, a TLS one whose certificate is the site's."""
        if self.scheme == "http":
            return link
        secure = self.trust.context().wrap_socket(link, server_hostname=self.host, do_handshake_on_connect=False)
        try:
            secure.do_handshake()
            self.trust.check(secure)
        except BaseException:  # a stop, too: no other code closes the socket
            secure.close()
            raise
        return secure

    def masked(self, text: str) -> str:
        """The text without password and path, in each of the spellings in which a site could repeat them."""
        path = self.path.partition("?")[0].rstrip("/")
        spellings = {self.password, quote(self.password), quote(self.password, safe=""), repr(self.password)[1:-1]}
        spellings |= {path, unquote(path)}
        if self.user is not None:
            spellings.add(self._credentials)
        for secret in sorted(spellings, key=len, reverse=True):
            if len(secret) >= _MIN_SECRET:
                text = text.replace(secret, "…")
        return text


def looks_like_url(text: str) -> bool:
    """Whether a text that should be something else is a URL, as in `file://me:password@host`: not to be repeated."""
    return "://" in text or (text.startswith("//") and not text.startswith("///"))


def _split_login(rest: str) -> tuple[str, str, str]:
    """User and password, the @, and the rest. Raises SpecError where an @ stands where none can be.

    The @ is the last one: whatever stands before it belongs to user and password, which may well have a / in them.
    """
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    last_at = rest.rfind("@")
    if last_at > len(authority):
        raise SpecError(f"{_unusable(rest[len(authority)], 'a user name or password')} (an @ in the path: write %40)")
    return authority.rpartition("@")[0], "@" if last_at >= 0 else "", rest[last_at + 1 :]


def _check_characters(login: str, rest: str) -> None:
    """Raise SpecError for a character that has to be percent-encoded; any but control characters may be in a login."""
    if _STRAY_PERCENT.search(login):
        raise SpecError(_unusable("%", "a user name or password"))
    for character in rest:
        if not "!" <= character <= "~":
            raise SpecError(_unusable(character, "a URL"))
    for character in login:
        if not character.isprintable():
            raise SpecError(_unusable(character, "a user name or password"))


def _unusable(character: str, where: str) -> str:
    """Which character it is, and its percent-encoded form (RFC 3986 §2.1)."""
    shown = f"'{character}'" if character.isprintable() else "a control character"
    encoded = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
    return f"{shown} cannot stand in {where} as it is: write {encoded}"
