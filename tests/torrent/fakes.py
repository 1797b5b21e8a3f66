"""The three web interfaces, as small as they can be and as stubborn as a test wants them.

Each speaks as the real one was seen to; `test_real_clients.py` holds the real ones to the same promises. What only
newer versions say (qBittorrent 5, Transmission 4) is as their sources have it.
"""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, quote

USER, PASSWORD = "people", "p@ss w/rd:&é"  # a hard one: everything in it must be escaped somewhere


class Fake:
    """A web interface with `settings`, below `base`. `stubborn`: it says yes and changes nothing.

    `broken`: every answer's body. `refusal`: the status and body of every answer. `proxy`: whether a reverse proxy with
    a cookie of its own stands before it, which lets in only those who send that cookie back. `trackers`: how many
    cookies each answer sets, of ever-new names; `most_cookies`: how many came back in one request.
    """

    first: ClassVar[dict[str, Any]]
    context: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.settings = dict(self.first)
        self.stubborn = False
        self.broken: bytes | None = None
        self.refusal: tuple[int, bytes] | None = None
        self.proxy = False
        self.trackers = self.most_cookies = self._tracked = 0
        self.base = ""
        self.logins = 0
        self.password = PASSWORD
        self.writes = 0
        self._port = 0
        self.start()

    def start(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake._serve(self)

            do_POST = do_GET  # noqa: N815  # its own name for it

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name for it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        if self.context:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        scheme = "https" if self.context else "http"
        return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{self._port}"

    def change(self, settings: dict[str, Any]) -> None:
        self.writes += 1
        if not self.stubborn:
            self.settings |= settings

    @property
    def port(self) -> int:
        raise NotImplementedError

    def answer(
        self, path: str, headers: Any, cookies: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        cookies = dict(part.partition("=")[::2] for part in handler.headers.get("Cookie", "").split("; "))
        self.most_cookies = max(self.most_cookies, len(cookies))
        status, headers, told = self._behind_the_proxy(handler, cookies, body)
        told = told if self.broken is None else self.broken
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(told))}.items():
            handler.send_header(name, value)
        if self.proxy:
            handler.send_header("Set-Cookie", "route=7; Path=/")
        for _ in range(self.trackers):
            self._tracked += 1
            handler.send_header("Set-Cookie", f"t{self._tracked}=1; Path=/")
        handler.end_headers()
        handler.wfile.write(told)

    def _behind_the_proxy(
        self, handler: BaseHTTPRequestHandler, cookies: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self.refusal:
            return self.refusal[0], {}, self.refusal[1]
        if not handler.path.startswith(self.base):
            return 404, {}, b"Not Found"
        if self.proxy and self.logins and cookies.get("route") != "7":
            return 502, {}, b"another backend"
        return self.answer(handler.path.removeprefix(self.base), handler.headers, cookies, body)


class FakeQBittorrent(Fake):
    """`version` 4: a login is answered with 200 and `Ok.` or `Fails.`; 5 (5.2): with 204 or 401. `key`: an API key."""

    first: ClassVar[dict[str, Any]] = {"listen_port": 1, "random_port": True, "upnp": True, "dht": True}

    def __init__(self) -> None:
        self.version = 4
        self.session = "abc"
        self.key = ""
        self.own_name = True
        self.banned = False
        self.open_to_all = False
        super().__init__()

    @property
    def port(self) -> int:
        return int(self.settings["listen_port"])

    def answer(
        self, path: str, headers: Any, cookies: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        form = parse_qs(body.decode())
        if not self.own_name:
            return 401, {}, b"Unauthorized"
        if self.key and headers.get("Authorization") == f"Bearer {self.key}":
            return self._api(path, form)
        if path == "/api/v2/auth/login":
            self.logins += 1
            return self._login(form == {"username": [USER], "password": [self.password]})
        if not self.open_to_all and cookies.get(self._cookie) != self.session:
            return 403, {}, b"Forbidden"
        return self._api(path, form)

    @property
    def _cookie(self) -> str:
        return "SID" if self.version < 5 else f"QBT_SID_{self._port}"

    def _login(self, fine: bool) -> tuple[int, dict[str, str], bytes]:
        if self.banned:
            return 403, {}, b"Your IP address has been banned after too many failed authentication attempts."
        cookie = {"Set-Cookie": f"{self._cookie}={self.session}; HttpOnly; path=/"} if fine else {}
        if self.version < 5:
            return 200, cookie, b"Ok." if fine else b"Fails."
        return (204, cookie, b"") if fine else (401, {}, b"Unauthorized")

    def _api(self, path: str, form: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        if path == "/api/v2/app/setPreferences":
            self.change(json.loads(form["json"][0]))
            return 200, {}, b""
        if path == "/api/v2/app/preferences":
            return 200, {}, json.dumps(self.settings).encode()
        return 404, {}, b"Not Found"


class FakeTransmission(Fake):
    """`rpc`: the path of its RPC."""

    first: ClassVar[dict[str, Any]] = {
        "peer-port": 1,
        "peer-port-random-on-start": True,
        "port-forwarding-enabled": True,
    }

    rpc = "/transmission/rpc"

    @property
    def port(self) -> int:
        return int(self.settings["peer-port"])

    def answer(
        self, path: str, headers: Any, cookies: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if path != self.rpc:
            return (
                (301, {"Location": "/transmission/web/"}, b"") if path == "/" else (404, {}, b"<h1>404: Not Found</h1>")
            )
        login = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        if headers.get("Authorization") != f"Basic {login}":
            return 401, {}, b"<h1>401: Unauthorized</h1>"
        if headers.get("X-Transmission-Session-Id") != "here":
            return 409, {"X-Transmission-Session-Id": "here"}, b"<h1>409: Conflict</h1>"
        call = json.loads(body)
        if call["method"] == "session-set":
            self.change(call["arguments"])
        versions = {"version": "4.0.0", "rpc-version": 17, "rpc-version-semver": "5.3.0"}
        told = self.settings | versions if call["method"] == "session-get" else {}
        return 200, {}, json.dumps({"result": "success", "arguments": told}).encode()


class FakeDeluge(Fake):
    first: ClassVar[dict[str, Any]] = {"listen_ports": [1, 2], "random_port": True, "upnp": True, "natpmp": True}

    def __init__(self) -> None:
        self.connected = False
        self.hosts: Any = [["host", "127.0.0.1", 58846, "localclient"]]
        self.heard: int | None = None
        super().__init__()

    @property
    def port(self) -> int:
        return int(self.settings["listen_ports"][0])

    def answer(
        self, path: str, headers: Any, cookies: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        call = json.loads(body)
        method, params = call["method"], call["params"]
        cookie, error, result = {}, None, None
        if method == "auth.login":
            self.logins += 1
            result = params == [self.password]
            cookie = {"Set-Cookie": "_session_id=abc; Path=/json"} if result else {}
        elif cookies.get("_session_id") != "abc":
            error = {"message": "Not authenticated", "code": 1}
        else:
            result = self._called(method, params)
        return 200, cookie, json.dumps({"id": call["id"], "result": result, "error": error}).encode()

    def _called(self, method: str, params: Any) -> Any:
        match method:
            case "web.connected":
                return self.connected
            case "web.get_hosts":
                return self.hosts
            case "web.connect":
                self.connected = params == ["host"]
            case "core.get_config_values":
                return {key: self.settings[key] for key in params[0]}
            case "core.set_config":
                self.change(params[0])
            case "core.get_listen_port":
                return self.port if self.heard is None else self.heard
        return None
