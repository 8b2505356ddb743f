#!/usr/bin/env python3
"""Computes tests/vectors/legacy.json: what the Python service left in its database, made with the libraries it used.

    python3 -m venv /tmp/legacy && /tmp/legacy/bin/pip install \
        'cryptography>=45' cryptography-vectors 'passlib[argon2]==1.7.4' 'bcrypt>=5'
    /tmp/legacy/bin/python tests/vectors/make_legacy.py            # writes legacy.json beside itself
    /tmp/legacy/bin/python tests/vectors/make_legacy.py --check    # fails when legacy.json is not what this computes

The vectors of Fernet are those that `cryptography` tests itself with. Salts, initialisation vectors and times are
derived from names, so that two runs agree. Every key and every person is made up.
"""

import base64
import hashlib
import importlib.resources
import json
import pathlib
import sys

import bcrypt
from cryptography.fernet import Fernet
from passlib.hash import argon2, pbkdf2_sha1, pbkdf2_sha256, pbkdf2_sha512

MADE_AT = 1_700_000_000


def random(name: str, length: int) -> bytes:
    return hashlib.shake_128(b"sealgate test: " + name.encode()).digest(length)


KEY = base64.urlsafe_b64encode(random("encryption key", 32)).decode()
OTHER_KEY = base64.urlsafe_b64encode(random("another key", 32)).decode()
SALT = "sel de mer, 2019"


def seal(text: str, place: str, key: str = KEY) -> str:
    token = Fernet(key)._encrypt_from_parts(text.encode(), MADE_AT, random("iv " + place, 16))
    return base64.urlsafe_b64encode(token).decode()


def search_hash(address: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", address.lower().encode(), SALT.encode(), 100_000, 32)
    return base64.urlsafe_b64encode(digest).decode()


def passlib_argon2(password: str, cheap: bool = True, **more) -> str:
    """With passlib's own defaults, or cheap ones for tests that make many."""
    cost = {"memory_cost": 512, "rounds": 2, "parallelism": 2} if cheap else {}
    return argon2.using(salt=random("salt " + password, 16), **cost, **more).hash(password)


def document(number: int, email: str, password: str, **changed) -> dict:
    """One person as the service stored it; `changed` replaces plain values, `raw` stored ones."""
    plain = {"first_name": "Given", "last_name": "Family", "email": email, "phone": "+14155550123"} | {
        name: value for name, value in changed.items() if name in ("first_name", "last_name", "phone")
    }
    id = changed.get("id", f"{number:08x}-0000-4000-8000-{random(email, 6).hex()}")
    sealed = {f"{name}_encrypted": seal(text, f"{id} {name}") for name, text in plain.items() if text is not None}
    return {
        "_id": f"{number:024x}",
        "id": id,
        **sealed,
        "email_search_hash": search_hash(email),
        "country_code": changed.get("country_code", "US"),
        "country": "United States",
        "password": passlib_argon2(password, cheap=changed.get("cheap", True)),
        "is_email_verified": changed.get("verified", True),
    } | changed.get("raw", {})


def first_type() -> list[dict]:
    ada = document(1, "ada@example.com", "Ada's 1st password!", cheap=False, first_name="Ada", last_name="Lovelace")
    flipped = bytearray(base64.urlsafe_b64decode(seal("Turing", "flipped")))
    flipped[40] = flipped[40] ^ 1 if chr(flipped[40] ^ 1).isalnum() else ord("A")
    return [
        ada,
        document(2, "conan@example.com", "Conan's password 2!", first_name="Conan", last_name="O#x27Brien"),
        document(3, "tom@example.com", "Tom's password 3!", first_name="Tom amp Jerry", phone="(415) 555-0124"),
        document(4, "Grace.Hopper@Example.COM", "Grace's password 4!", phone="12", country_code="+1"),
        document(5, "waiting@example.com", "Waiting's password 5!", verified=False),
        # One address, three times: the first two are those that asked in the same moment, the third confirmed.
        document(6, "twice@example.com", "Twice's password 6!", verified=False),
        document(7, "Twice@example.com", "Twice's password 7!", first_name="Second"),
        document(8, "twice@Example.com", "Twice's password 8!", first_name="Third"),
        # What is sealed names no place: a value of one record opens in another. The search hash tells.
        document(9, "victim@example.com", "Victim's password 9!", raw={"email_encrypted": ada["email_encrypted"]}),
        document(10, "alan@example.com", "Alan's password 10!",
                 raw={"last_name_encrypted": base64.urlsafe_b64encode(flipped).decode()}),
        document(11, "foreign@example.com", "Foreign's password 11!",
                 raw={"first_name_encrypted": seal("Foreign", "foreign", OTHER_KEY)}),
        document(12, "dotted@example.com", "Dotted's password 12!", id="not.an.id"),
        document(13, "sha@example.com", "Sha's password 13!", raw={"password": "$6$rounds=5000$salt$" + "a" * 86}),
        document(14, "bare@example.com", "Bare's password 14!", phone=None, country_code=None,
                 raw={"country": None, "phone_encrypted": None}),
        document(15, "spaced@example.com", "Spaced's password 15!", last_name="Family ", country_code="Atlantis"),
        document(16, "not an address", "Nobody's password 16!"),
        document(17, "typed@example.com", "Typed's password 17!", raw={"is_email_verified": "yes"}),
        document(18, "zoe@example.com", "Zo\u00eb's p\u00e4ssword 18!", first_name="Zo\u00eb"),
    ]


def password_hashes() -> list[dict]:
    def of(kind: str, password: str, stored: str) -> dict:
        return {"kind": kind, "password": password, "hash": stored}

    def phc(prefix: str, name: str, password: str, length: int) -> str:
        salt = random("salt " + password, 16)
        digest = hashlib.pbkdf2_hmac(name, password.encode(), salt, 1000, length)
        salt, digest = (base64.b64encode(part).decode().rstrip("=") for part in (salt, digest))
        return f"${prefix}$i=1000,l={length}${salt}${digest}"

    def of_bcrypt(prefix: bytes, password: str) -> str:
        salt = bcrypt.gensalt(4, prefix=b"2b")[:7] + bcrypt_alphabet(random("salt " + password, 16))
        return bcrypt.hashpw(password.encode()[:72], salt).decode().replace("$2b$", f"${prefix.decode()}$")

    def bcrypt_alphabet(salt: bytes) -> bytes:
        usual = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        own = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return base64.b64encode(salt).rstrip(b"=").translate(bytes.maketrans(usual, own))

    cheap = {"memory_cost": 64, "rounds": 1, "parallelism": 1}
    hashes = [
        of("argon2id, passlib's defaults", "Password of defaults 1!", passlib_argon2("Password of defaults 1!", False)),
    ]
    for kind in ("id", "i", "d"):
        password = f"Password of argon2{kind} 2!"
        made = argon2.using(type=kind, salt=random("salt " + password, 16), **cheap).hash(password)
        hashes.append(of(f"argon2{kind}", password, made))
    for prefix in (b"2a", b"2b", b"2y"):
        password = f"Password of bcrypt {prefix.decode()} 3!"
        hashes.append(of(f"bcrypt {prefix.decode()}", password, of_bcrypt(prefix, password)))
    long = "Longer than 72 bytes 4! " + "\u00e4" * 40
    hashes.append(of("bcrypt, a password of 104 bytes", long, of_bcrypt(b"2b", long)))
    for made_by, name in ((pbkdf2_sha1, "sha1"), (pbkdf2_sha256, "sha256"), (pbkdf2_sha512, "sha512")):
        password = f"Password of passlib pbkdf2 {name} 5!"
        made = made_by.using(salt=random("salt " + password, 16), rounds=1000).hash(password)
        hashes.append(of(f"pbkdf2-{name}, passlib", password, made))
        password = f"Password of PHC pbkdf2 {name} 6!"
        prefix = "pbkdf2" if name == "sha1" else f"pbkdf2-{name}"
        hashes.append(of(f"pbkdf2-{name}, PHC", password, phc(prefix, name, password, 32)))
    return hashes


def fernet_vectors(name: str) -> list:
    file = importlib.resources.files("cryptography_vectors") / "fernet" / f"{name}.json"
    return json.loads(file.read_text())


def main() -> None:
    vectors = {
        "about": "Made by make_legacy.py. Keys and persons are made up.",
        "encryption_key": KEY,
        "other_key": OTHER_KEY,
        "email_salt": SALT,
        "fernet": {name: fernet_vectors(name) for name in ("generate", "verify", "invalid")},
        "sealed": [{"plain": text, "sealed": seal(text, "text " + text)} for text in ("", "Ada", "O'Brien & \u5c71")],
        "search_hashes": [
            {"address": address, "hash": search_hash(address)}
            for address in ("ada@example.com", "Ada@EXAMPLE.com", "\u00c4da@example.com")
        ],
        "password_hashes": password_hashes(),
        "databases": {
            "User1": first_type(),
            "User2": [
                document(1, "ada@example.com", "Ada's other password!", id=first_type()[0]["id"], first_name="Augusta"),
            ],
            # Enough for an import to be met in the middle.
            "Crowd": [document(n, f"person.{n}@crowd.example", "One of the crowd!", phone=None) for n in range(1, 81)],
        },
    }
    text = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
    path = pathlib.Path(__file__).with_name("legacy.json")
    if "--check" in sys.argv[1:]:
        sys.exit(0 if path.read_text() == text else "legacy.json is not what this script computes")
    path.write_text(text)


if __name__ == "__main__":
    main()
