"""The walk with the generated client: `scripts/clients` runs it against a service that it starts."""

import email
import email.policy
import os
import re
import time
import uuid
from pathlib import Path
from typing import TypeVar

from sealgate import AuthenticatedClient, Client
from sealgate.api.user_1 import (
    user1_create,
    user1_login,
    user1_logout,
    user1_profile,
    user1_refresh_token,
    user1_verify,
)
from sealgate.models import Create, LoginForm, Problem, Refresh, Verify

URL = os.environ["SEALGATE_URL"]
PASSWORD = "SecureP@ssw0rd123!"

T = TypeVar("T")


def answered(answer: T | Problem | None) -> T:
    """What was answered, or the problem as an exception."""
    if answer is None or isinstance(answer, Problem):
        raise RuntimeError(answer)
    return answer


def mailed_token(address: str) -> str:
    """The token of the link in the mail to that address, once it lies in the outbox."""
    outbox = Path(os.environ["SEALGATE_OUTBOX"])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for file in outbox.glob("*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            part = mail.get_body(("plain",))
            token = re.search(r"\?token=([\w-]+)", part.get_content()) if part else None
            if mail["To"] == address and token:
                return token[1]
        time.sleep(0.05)
    raise RuntimeError("no mail within 30 s")


def walk() -> None:
    """Every step, each checked by what the next one needs."""
    client = Client(base_url=URL, raise_on_unexpected_status=True)
    address = f"python-{uuid.uuid4()}@example.com"

    person = Create(first_name="Ada", last_name="Lovelace", email=address, phone="+12025550123", password=PASSWORD)
    key = str(uuid.uuid4())
    created = answered(user1_create.sync(client=client, body=person, idempotency_key=key))
    again = answered(user1_create.sync(client=client, body=person, idempotency_key=key))
    assert created.id == again.id, "the same Idempotency-Key, the same registration"

    answered(user1_verify.sync(client=client, body=Verify(token=mailed_token(address))))

    login = answered(user1_login.sync(client=client, body=LoginForm(username=address, password=PASSWORD)))
    signed_in = AuthenticatedClient(base_url=URL, token=login.access_token)
    profile = answered(user1_profile.sync(client=signed_in))
    assert (profile.email, profile.id) == (address, created.id), "the profile is one's own"
    assert profile.is_email_verified and profile.attributes is None, "the profile is whole"

    body = Refresh(refresh_token=login.refresh_token)
    refreshed = answered(user1_refresh_token.sync(client=client, body=body))
    assert refreshed.refresh_token != login.refresh_token, "a refresh token works once"
    signed_in = AuthenticatedClient(base_url=URL, token=refreshed.access_token)
    answered(user1_profile.sync(client=signed_in))
    answered(user1_logout.sync(client=signed_in))

    refused = user1_profile.sync(client=signed_in)
    assert isinstance(refused, Problem) and refused.code == "invalid_token", "signed out is signed out"
    assert refused.type_ == "/errors#invalid_token", "the problem leads to its explanation"
    print("Python: create, mail, verify, login, profile, refresh, logout")


if __name__ == "__main__":
    walk()
