"""The end of `portmap echo`, as a process of its own."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack


def test_it_ends_without_a_word_though_clients_are_connected() -> None:
    command = [sys.executable, "-m", "portmap", "echo", "--json", "--listen", "127.0.0.1:0"]
    with (
        ExitStack() as clients,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as responder,
    ):
        assert responder.stdout is not None
        port = int(json.loads(responder.stdout.readline())["address"].rpartition(":")[2])
        for sent in (b"", b"GET /port", b"GET /ip HTTP/1.1\r\n\r\n"):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            client.sendall(sent)
        assert client.recv(12) == b"HTTP/1.1 200"  # the others have been accepted before it
        responder.send_signal(signal.SIGTERM)
        _, told = responder.communicate(timeout=10)
    assert (responder.returncode, told) == (0, "")
