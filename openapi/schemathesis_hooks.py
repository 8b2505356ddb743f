"""What Schemathesis can't know: how to sign in here, and what holds for every answer.

`scripts/fuzz` starts the service with rate limits off and an empty data folder, and names it in SEALGATE_URL, its program in
SEALGATE_BINARY and the folder in SEALGATE_DATA.
"""

import os
import re
import subprocess
import threading
import time
import zlib

import requests
import schemathesis

URL = os.environ["SEALGATE_URL"]
PASSWORD = "SecureP@ssw0rd123!"
# Administrators prove who they are again before their sign-in is too old for what can't be undone.
FRESH_SECONDS = 240
ONE_ACCOUNT = "/admin/accounts/{id}"


def post(path, **arguments):
    answer = requests.post(URL + path, timeout=20, **arguments)
    answer.raise_for_status()
    return answer.json()


def mailed_token(address):
    """The token of the link in the newest mail to that address, once it is delivered."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        page = requests.get(URL + "/dev/outbox", timeout=20).text
        for mail in re.findall(r"<li>.*?</li>", page, re.DOTALL):
            token = re.search(r"token=([A-Za-z0-9_-]+)", mail)
            if address in mail and token:
                return token[1]
        time.sleep(0.05)
    raise RuntimeError(f"no mail to {address} within 30 s")


class Accounts:
    """One account per user type and purpose. Who is deleted, or signed out, is replaced."""

    def __init__(self):
        self.lock = threading.RLock()
        self.made = 0
        self.addresses = {}
        self.tokens = {}
        self.since = {}
        self.uses = {}
        self.others = {}
        self.asked = 0

    def join(self, user_type):
        self.made += 1
        address = f"fuzz{self.made}@example.com"
        person = {"first_name": "Ada", "last_name": "Lovelace", "email": address, "phone": "+12025550123"}
        post(f"/{user_type}/create", json={**person, "password": PASSWORD})
        post(f"/{user_type}/verify", json={"token": mailed_token(address)})
        return address

    def appoint(self, user_type, *reach):
        """An administrator from the command line, as the first always is."""
        self.made += 1
        address = f"admin{self.made}@example.com"
        command = [os.environ["SEALGATE_BINARY"], "admin", "create", user_type, address, *reach]
        data = os.environ["SEALGATE_DATA"]
        environment = {"PATH": os.environ["PATH"], "DATA_DIR": data, "PUBLIC_URL": URL, "LOG_LEVEL": "warn"}
        made = subprocess.run(command, env=environment, cwd=data, capture_output=True, text=True, timeout=60, check=True)
        token = re.search(r"token=([A-Za-z0-9_-]+)", made.stdout)[1]
        headers = {"Accept": "application/json"}
        post(f"/{user_type}/reset_password", json={"token": token, "password": PASSWORD}, headers=headers)
        return address

    def other(self, user_type):
        """The id of an account that administrators may do anything to."""
        with self.lock:
            headers = {"Authorization": f"Bearer {self.token(user_type, 'admin')}"}
            path = f"/{user_type}/admin/accounts"
            known = self.others.get(user_type)
            if known and requests.get(f"{URL}{path}/{known}", headers=headers, timeout=20).status_code == 200:
                return known
            self.made += 1
            person = {"first_name": "Ada", "last_name": "Lovelace", "email": f"other{self.made}@example.com"}
            self.others[user_type] = post(path, json=person, headers=headers)["id"]
            return self.others[user_type]

    def token(self, user_type, purpose, renew_after=None):
        with self.lock:
            key = (user_type, purpose)
            if purpose in ("admin", "super") and time.monotonic() - self.since.get(key, 0) > FRESH_SECONDS:
                self.tokens.pop(key, None)
            self.uses[key] = self.uses.get(key, 0) + 1
            if renew_after and self.uses[key] % renew_after == 0:
                self.addresses.pop(key, None)
                self.tokens.pop(key, None)
            token = self.tokens.get(key)
            if token is None or not self.is_good(user_type, token):
                token = self.tokens[key] = self.sign_in(user_type, key)
            return token

    def draw(self):
        """Counts who asks."""
        with self.lock:
            self.asked += 1
            return self.asked

    def address(self, user_type):
        """Of an account that is never deleted."""
        self.token(user_type, "stay")
        return self.addresses[(user_type, "stay")]

    def is_good(self, user_type, token):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{URL}/{user_type}/", headers=headers, timeout=20).status_code == 200

    def sign_in(self, user_type, key):
        for _ in range(2):
            address = self.addresses.get(key) or self.make(*key)
            form = {"username": address, "password": PASSWORD}
            answer = requests.post(f"{URL}/{user_type}/login", data=form, timeout=20)
            if answer.status_code == 200:
                self.addresses[key] = address
                self.since[key] = time.monotonic()
                return answer.json()["access_token"]
            # It was deleted.
            self.addresses.pop(key, None)
        raise RuntimeError("nobody can sign in")

    def make(self, user_type, purpose):
        if purpose == "admin":
            return self.appoint(user_type)
        if purpose == "super":
            return self.appoint(user_type, "--super")
        return self.join(user_type)


ACCOUNTS = Accounts()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A refresh that leads to a refresh makes it look like a place to begin; with no token from a login it never works."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            if operation["operationId"].endswith("_refresh_token"):
                operation["responses"]["200"].pop("links", None)


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """A token that works when the case begins, whatever the cases before did."""

    def get(self, case, context):
        path = context.operation.path
        user_type = path.split("/")[1]
        if not context.operation.definition.raw.get("security"):
            return None
        if path.split("/")[2] == "admin":
            # Keys are a super-admin's alone; some come as who administers nothing.
            if ACCOUNTS.draw() % 8 == 0:
                return ACCOUNTS.token(user_type, "stay")
            return ACCOUNTS.token(user_type, "super" if path.endswith("/keys") else "admin")
        if path.endswith("/otp_phone"):
            # Who was sent a code waits a minute for the next: others ask for it.
            return ACCOUNTS.token(user_type, "code", renew_after=8)
        return ACCOUNTS.token(user_type, "end" if path.endswith(("/delete", "/logout")) else "stay")

    def set(self, case, data, context):
        if data:
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Most of the well-formed requests are made ones that can succeed: a schema says little of passwords and addresses."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    drawn = zlib.crc32(repr((case.body, case.query, case.path_parameters)).encode())
    if drawn % 4 and ONE_ACCOUNT in case.operation.path:
        case.path_parameters["id"] = ACCOUNTS.other(case.operation.path.split("/")[1])
    if drawn % 4 and isinstance(case.query, dict) and case.operation.definition.raw.get("security"):
        # The old parameters: anything but one's own is 403.
        for name in ("id", "email", "phone"):
            case.query.pop(name, None)
    if drawn % 4 == 0 or not isinstance(case.body, dict):
        return
    path = case.operation.path
    user_type = path.split("/")[1]
    plausible = {"password": PASSWORD, "phone": "+12025550123", "country_code": "US", "grant_type": None}
    if path.endswith("/login"):
        plausible["username"] = ACCOUNTS.address(user_type)
    else:
        plausible |= {"email": f"fuzz.{drawn}@example.com", "username": f"fuzz-{drawn}"}
        plausible |= {"first_name": "Grace", "last_name": "Hopper", "attributes": None}
    for name, value in plausible.items():
        if name in case.body and value is None:
            del case.body[name]
        elif name in case.body:
            case.body[name] = value


@schemathesis.check
def code_is_documented(ctx, response, case):
    """A problem's code is one that the document lists for this operation and status."""
    content_type = response.headers.get("content-type", [""])[0]
    if not content_type.startswith("application/problem+json"):
        return
    code = response.json()["code"]
    documented = case.operation.definition.raw["responses"].get(str(response.status_code))
    if documented is None:
        # Not of this operation (another method, no such path): status_code_conformance judges it.
        return
    examples = documented["content"]["application/problem+json"]["examples"]
    assert code in examples, f"{code} is not documented for {response.status_code}"


@schemathesis.check
def every_answer_is_named_and_guarded(ctx, response, case):
    """What the document says of every answer, and what no answer does without."""
    for name in ("x-request-id", "content-security-policy", "x-content-type-options"):
        assert response.headers.get(name), f"no {name}"
