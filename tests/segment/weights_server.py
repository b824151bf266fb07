"""A server of weights on this machine that misbehaves on demand."""

from __future__ import annotations

import hashlib
import http.server
import time

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(http.server.ThreadingHTTPServer):
    """Serves files as the hub does, with ranges, and misbehaves on demand."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.drop_after: list[int] = []  # bytes after which the next answers break off
        self.ignores_ranges = False
        self.status = 200
        self.asked: list[tuple[str, str, str]] = []
        self.slow_s = 0.0
        self.commit = COMMIT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        if content is not None:
            is_large = self.path.endswith(".safetensors")
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest() if is_large else git}"')
            self.send_header("X-Repo-Commit", self.server.commit)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append((self.command, self.path, wanted))
        content = server.files.get(self.path)
        if content is None or server.status != 200:
            self.send_error(404 if content is None else server.status)
            return
        start = 0 if server.ignores_ranges else int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted and not server.ignores_ranges else 200)
        if wanted and not server.ignores_ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if server.drop_after:
            self.wfile.write(rest[: server.drop_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        for begin in range(0, len(rest), 1 << 16):
            try:
                self.wfile.write(rest[begin : begin + (1 << 16)])
            except OSError:
                return
            time.sleep(server.slow_s)

    def log_message(self, *args):
        pass
