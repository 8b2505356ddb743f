"""Runs deploy/nginx/sealgate.conf and deploy/haproxy/haproxy.cfg, with other ports and folders, before a server.

usage: check_edges.py SERVER    SERVER is the server's binary

Asked of each, and once more behind the PROXY protocol: limits count the client's address, whatever it claims; no log has a
query; what comes in the clear is led to TLS or refused; challenges of ACME arrive; with no server left the answer says so.
"""

import contextlib
import http.client
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
PATIENCE = 20
MARK = "mark-of-a-query"
CHALLENGE = "/.well-known/acme-challenge/token"
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def free_port():
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return one.getsockname()[1]


def replaced(file, *changes):
    text = Path(file).read_text()
    for shipped, here in changes:
        if shipped not in text:
            sys.exit(f"{file} has no `{shipped}`")
        text = text.replace(shipped, here)
    return text


class Tls(http.client.HTTPConnection):
    """A connection from an address of this machine, behind a PROXY line where one is given."""

    def __init__(self, port, source, proxied=None):
        super().__init__(LOOPBACK, port, timeout=10, source_address=(source, 0))
        self.proxied = proxied

    def connect(self):
        super().connect()
        if self.proxied:
            self.sock.sendall(f"PROXY TCP4 {self.proxied} {LOOPBACK} 40000 443\r\n".encode())
        self.sock = ssl._create_unverified_context().wrap_socket(self.sock, server_hostname="id.example.com")


def ask(connection, method, path, body=None, headers=()):
    fields = {"Content-Type": "application/json", **dict(headers)}
    try:
        connection.request(method, path, body=json.dumps(body) if body else None, headers=fields)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        return answer
    finally:
        connection.close()


def until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"not within {PATIENCE} s: {what}")


class Challenges(http.server.BaseHTTPRequestHandler):
    """What an ACME client's own server answers."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"challenge")

    def log_message(self, *_):
        pass


class Edge:
    def __init__(self, name, folder, api, acme, proxied):
        self.name = f"{name}, PROXY" if proxied else name
        self.folder = folder / self.name.replace(", ", "-").lower()
        self.folder.mkdir()
        self.plain, self.tls, self.proxied = free_port(), free_port(), proxied
        self.log = self.folder / "output.log"
        command = {"nginx": self.nginx, "HAProxy": self.haproxy}[name](folder, api, acme)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def nginx(self, folder, api, _):
        (self.folder / ".well-known/acme-challenge").mkdir(parents=True)
        (self.folder / CHALLENGE[1:]).write_text("challenge")
        site = replaced(
            "deploy/nginx/sealgate.conf",
            ("listen 80;", f"listen {LOOPBACK}:{self.plain};"),
            ("listen [::]:80;", ""),
            ("listen 443 ssl http2;", f"listen {LOOPBACK}:{self.tls} ssl http2{' proxy_protocol' if self.proxied else ''};"),
            ("listen [::]:443 ssl http2;", ""),
            ("/var/log/nginx/", f"{self.folder}/"),
            ("/var/www/acme", str(self.folder)),
            ("/etc/letsencrypt/live/id.example.com/fullchain.pem", f"{folder}/certs/id.pem"),
            ("/etc/letsencrypt/live/id.example.com/privkey.pem", f"{folder}/certs/id.pem"),
            ("127.0.0.1:8000", f"{LOOPBACK}:{api}"),
        )
        if self.proxied:
            site = site.replace("#set_real_ip_from 10.0.0.0/8;", "set_real_ip_from 127.0.0.0/8;")
            site = site.replace("#real_ip_header", "real_ip_header")
        (self.folder / "site.conf").write_text(site)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind}; " for kind in kinds)
        # As Debian's nginx.conf has it around: a log of its own, which must get nothing.
        (self.folder / "nginx.conf").write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} pid {self.folder}/pid; error_log {self.folder}/outer-error.log warn; events {{}}\n"
            f"http {{ access_log {self.folder}/outer.log; {temporary} include {self.folder}/site.conf; }}\n"
        )
        command = ["nginx", "-c", f"{self.folder}/nginx.conf", "-e", "stderr", "-g", "daemon off;"]
        subprocess.run([*command[:5], "-t", "-q"], check=True)
        return command

    def haproxy(self, folder, api, acme):
        proxied = " accept-proxy" if self.proxied else ""
        (self.folder / "haproxy.cfg").write_text(
            replaced(
                "deploy/haproxy/haproxy.cfg",
                ("bind :80", f"bind {LOOPBACK}:{self.plain}"),
                ("bind :443 ssl crt /etc/haproxy/certs/", f"bind {LOOPBACK}:{self.tls} ssl crt {folder}/certs/"),
                ("alpn h2,http/1.1", f"alpn h2,http/1.1{proxied}"),
                ("127.0.0.1:8000", f"{LOOPBACK}:{api}"),
                ("127.0.0.1:8888", f"{LOOPBACK}:{acme}"),
            )
        )
        command = ["haproxy", "-db", "-f", f"{self.folder}/haproxy.cfg"]
        # A warning is an error.
        subprocess.run(["haproxy", "-c", "-q", "-dW", "-f", f"{self.folder}/haproxy.cfg"], check=True)
        return command

    def ask(self, client, method, path, body=None, headers=()):
        """A client at that address; behind the PROXY protocol the connection itself comes from the load balancer's."""
        source, proxied = (LOOPBACK, client) if self.proxied else (client, None)
        return ask(Tls(self.tls, source, proxied), method, path, body, headers)

    def is_ready(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name} ended: {self.log.read_text()}")
        return self.ask("127.0.0.9", "GET", "/readyz").status == 200

    def check(self, number):
        self.guesser = guesser = f"127.0.{number}.2"
        neighbour = f"127.0.{number}.3"
        until(f"{self.name} leads to the server", self.is_ready)

        def forget(client, nth, *claims):
            body = {"email": f"nobody{number}-{nth}@example.com"}
            headers = [("X-Forwarded-For", ", ".join(claims))] if claims else []
            return self.ask(client, "POST", "/User1/forget_password", body, headers).status

        statuses = [forget(guesser, nth) for nth in range(4)]
        expect(statuses == [202, 202, 202, 429], f"{self.name}: three a minute, and it is {statuses}")
        for nth, claims in enumerate([["203.0.113.9"], [LOOPBACK], [neighbour, LOOPBACK]], start=4):
            expect(forget(guesser, nth, *claims) == 429, f"{self.name}: a client is who it claims to be: {claims}")
        expect(forget(neighbour, 8, guesser) == 202, f"{self.name}: a client is another that it names")

        page = self.ask(neighbour, "GET", f"/User1/verify?token={MARK}")
        expect(page.status == 200, f"{self.name}: a mailed link answers {page.status}")
        with socket.create_connection((LOOPBACK, self.tls)) as in_the_clear:
            in_the_clear.sendall(f"GET /User1/verify?token={MARK} HTTP/1.1\r\nHost: id.example.com\r\n\r\n".encode())
            with contextlib.suppress(OSError):
                in_the_clear.recv(1)
        self.check_plain()

    def check_plain(self):
        def plain(method, path):
            return ask(http.client.HTTPConnection(LOOPBACK, self.plain, timeout=10), method, path)

        led = plain("GET", f"/User1/verify?token={MARK}")
        target = led.getheader("Location", "")
        expect(led.status == 308 and target.startswith("https://"), f"{self.name}: plain leads to {led.status} {target}")
        expect(plain("POST", "/User1/login").status == 403, f"{self.name}: a post in the clear is not refused")
        challenge = plain("GET", CHALLENGE)
        expect((challenge.status, challenge.text) == (200, "challenge"), f"{self.name}: a challenge of ACME does not arrive")

    def check_alone(self):
        """The server is gone."""

        def is_told():
            answer = self.ask("127.0.0.9", "GET", "/livez")
            kind = answer.getheader("Content-Type"), answer.getheader("Retry-After")
            return answer.status == 503 and kind == ("application/problem+json", "2") and json.loads(answer.text)

        until(f"{self.name} says that nobody is there", is_told)

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def check_logs(self):
        logs = {path: path.read_text() for path in self.folder.glob("*.log")}
        lines = [json.loads(line) for text in logs.values() for line in text.splitlines() if line.startswith("{")]
        expect("/User1/verify" in [line.get("path") for line in lines], f"{self.name}: logs no path")
        expect(self.guesser in [line["client"] for line in lines], f"{self.name}: logs no client's address")
        for path, text in logs.items():
            expect(MARK not in text and "?" not in text, f"{path.name} of {self.name} has a query")
            if path.name == "outer.log":
                expect(not text, f"{self.name}: requests are logged twice")


def start_server(binary, folder, port):
    settings = {"HTTP_ADDR": f"{LOOPBACK}:{port}", "TRUSTED_PROXIES": LOOPBACK, "LOG_FORMAT": "json"}
    with (folder / "server.log").open("w") as log:
        return subprocess.Popen([os.path.abspath(binary)], cwd=folder, env=settings, stdout=log, stderr=subprocess.STDOUT)


def main():
    os.environ["PATH"] += ":/usr/sbin"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "certs").mkdir()
        made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=id.example.com -keyout {folder}/key -out {folder}/certificate"
        subprocess.run(made.split(), check=True, capture_output=True)
        pair = (folder / "certificate").read_text() + (folder / "key").read_text()
        (folder / "certs/id.pem").write_text(pair)
        acme = http.server.ThreadingHTTPServer((LOOPBACK, 0), Challenges)
        threading.Thread(target=acme.serve_forever, daemon=True).start()
        api = free_port()
        server = start_server(sys.argv[1], folder, api)
        edges = []
        try:
            for edge in ("nginx", "HAProxy"):
                for proxied in (False, True):
                    edges.append(Edge(edge, folder, api, acme.server_port, proxied))
            for number, edge in enumerate(edges, start=1):
                edge.check(number)
            server.terminate()
            server.wait(PATIENCE)
            for edge in edges:
                edge.check_alone()
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
            for edge in edges:
                edge.end()
        for edge in edges:
            edge.check_logs()
        expect(MARK not in (folder / "server.log").read_text(), "the server's log has a query")
    for problem in problems:
        print(f"deploy: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
