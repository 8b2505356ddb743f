"""SMTP servers for the tests, made with aiosmtpd: one in the clear, one with STARTTLS, one with TLS.

usage: server.py FOLDER

Prints one line of JSON once all of them listen: their ports, and the file with the authority that signed their
certificates. A mail that is taken is written to FOLDER as MAIL-N.json with what the client said and sent. The server
ends with its standard input, so that it never outlives the test that started it.

What is refused depends on the recipient: `reject-550@...` is answered 550, `reject-451@...` 451 and so on;
`reject-data-554@...` is answered so after the mail was sent; `later@...` is answered 451 once and then taken; at `hang@...` the server says nothing more, at
`hang-data@...` nothing after the mail; at `drop@...` it hangs up, at `drop-data@...` after it has taken the mail.
The STARTTLS and TLS servers take mails from who has signed in as `sealgate` with `correct horse` only.
"""

import asyncio
import itertools
import json
import os
import pathlib
import re
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

FOLDER = pathlib.Path(sys.argv[1])
NUMBERS = itertools.count(1)
PUT_OFF = set()


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = re.match(r"reject-(\d{3})@", address)
        if refusal:
            return f"{refusal[1]} no mail for {address}"
        if address.startswith("later@") and address not in PUT_OFF:
            PUT_OFF.add(address)
            return "451 come back"
        if address.startswith("hang@"):
            await asyncio.sleep(3600)
        if address.startswith("drop@"):
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        refusal = re.match(r"reject-data-(\d{3})@", to)
        if refusal:
            return f"{refusal[1]} no such mail"
        if to.startswith("hang-data@"):
            await asyncio.sleep(3600)
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "hello": session.host_name,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "content": envelope.content.decode("utf-8", "surrogateescape"),
        }
        name = f"MAIL-{next(NUMBERS)}.json"
        (FOLDER / f".{name}").write_text(json.dumps(taken))
        (FOLDER / f".{name}").rename(FOLDER / name)
        if to.startswith("drop-data@"):
            server.transport.abort()
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"sealgate", b"correct horse")
    return AuthResult(success=good, handled=good, auth_data=data if good else None)


async def main():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority_file = FOLDER / "authority.pem"
    authority.cert_pem.write_to_path(str(authority_file))

    login = {"authenticator": authenticate, "auth_required": True}
    shapes = {
        "plain": (None, {}),
        "starttls": (None, {"tls_context": context, "require_starttls": True, **login}),
        # The socket is encrypted already; without this the server would refuse passwords on it.
        "tls": (context, {"auth_require_tls": False, **login}),
    }
    loop = asyncio.get_running_loop()
    ports, servers = {}, []
    for name, (socket_tls, options) in shapes.items():
        factory = lambda options=options: SMTP(Handler(), enable_SMTPUTF8=True, hostname="localhost", **options)
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=socket_tls)
        servers.append(server)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps({**ports, "authority": str(authority_file)}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


loop = asyncio.new_event_loop()
loop.run_until_complete(main())
# Clients may hang in the middle of a command: nobody waits for them.
os._exit(0)
