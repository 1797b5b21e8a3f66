"""The three web interfaces, as small as they can be and as stubborn as a test wants them.

Law: each speaks as the real one was seen to (`test_real_clients.py` holds the real ones to the same promises).
"""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, quote

USER, PASSWORD = "people", "p@ss w/rd:&é"  # a hard one: everything in it must be escaped somewhere


class Fake:
    """A web interface with `settings`. `stubborn`: it says yes and changes nothing. `broken`: every answer's body."""

    first: ClassVar[dict[str, Any]]

    def __init__(self) -> None:
        self.settings = dict(self.first)
        self.stubborn = False
        self.broken: bytes | None = None
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
        return f"http://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{self._port}"

    def change(self, settings: dict[str, Any]) -> None:
        self.writes += 1
        if not self.stubborn:
            self.settings |= settings

    @property
    def port(self) -> int:
        raise NotImplementedError

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        status, headers, told = self.answer(handler.path, handler.headers, body)
        told = told if self.broken is None else self.broken
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(told))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(told)


class FakeQBittorrent(Fake):
    first: ClassVar[dict[str, Any]] = {"listen_port": 1, "random_port": True, "upnp": True, "dht": True}

    @property
    def port(self) -> int:
        return int(self.settings["listen_port"])

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        form = parse_qs(body.decode())
        if path == "/api/v2/auth/login":
            fine = form == {"username": [USER], "password": [self.password]}
            return 200, {"Set-Cookie": "SID=abc; HttpOnly; path=/"} if fine else {}, b"Ok." if fine else b"Fails."
        if headers.get("Cookie") != "SID=abc" or "Referer" not in headers:
            return 403, {}, b"Forbidden"
        if path == "/api/v2/app/setPreferences":
            self.change(json.loads(form["json"][0]))
            return 200, {}, b""
        return 200, {}, json.dumps(self.settings).encode()


class FakeTransmission(Fake):
    first: ClassVar[dict[str, Any]] = {
        "peer-port": 1,
        "peer-port-random-on-start": True,
        "port-forwarding-enabled": True,
    }

    @property
    def port(self) -> int:
        return int(self.settings["peer-port"])

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        login = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        if headers.get("Authorization") != f"Basic {login}":
            return 401, {}, b"<h1>401: Unauthorized</h1>"
        if headers.get("X-Transmission-Session-Id") != "here":
            return 409, {"X-Transmission-Session-Id": "here"}, b"<h1>409: Conflict</h1>"
        call = json.loads(body)
        if call["method"] == "session-set":
            self.change(call["arguments"])
        told = self.settings if call["method"] == "session-get" else {}
        return 200, {}, json.dumps({"result": "success", "arguments": told}).encode()


class FakeDeluge(Fake):
    first: ClassVar[dict[str, Any]] = {"listen_ports": [1, 2], "random_port": True, "upnp": True, "natpmp": True}

    def __init__(self) -> None:
        self.connected = False
        self.hosts: Any = [["host", "127.0.0.1", 58846, "localclient"]]
        super().__init__()

    @property
    def port(self) -> int:
        return int(self.settings["listen_ports"][0])

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        call = json.loads(body)
        method, params = call["method"], call["params"]
        cookie, error, result = {}, None, None
        if method == "auth.login":
            result = params == [self.password]
            cookie = {"Set-Cookie": "_session_id=abc; Path=/json"} if result else {}
        elif headers.get("Cookie") != "_session_id=abc":
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
        return None
