#!/usr/bin/env python3
"""Computes tests/vectors/frozen.json: one vector per stored or handed-out format, made without any code of the project.

    python3 -m venv /tmp/frozen && /tmp/frozen/bin/pip install 'cryptography>=45'
    /tmp/frozen/bin/python tests/vectors/make_frozen.py            # writes frozen.json beside itself
    /tmp/frozen/bin/python tests/vectors/make_frozen.py --check    # fails when frozen.json is not what this computes

The formats are described in docs/CRYPTO.md, from which (and not from the Rust sources) this was written. The file may
grow by new entries; an entry that exists never changes, for data in its format is stored somewhere. A new version of a
format is a new entry.

Every key here is the SHA-256 of a sentence: good for tests only.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

USER_TYPE = "User1"
MILLIS = 1_764_000_000_000


def key(name: str) -> bytes:
    return hashlib.sha256(b"sealgate test key: " + name.encode()).digest()


def join(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">H", len(part)) + part for part in parts)


def mac(k: bytes, message: bytes) -> bytes:
    return hmac.new(k, message, hashlib.sha256).digest()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def transit_name(mount: bytes, name: bytes, version: int) -> dict:
    digest = hashlib.sha256(join(b"sealgate/transit-key/v1", mount, name)).digest()
    kek_id = typed_id("kek_", version, digest[:10])
    return {
        "mount": mount.decode(),
        "key": name.decode(),
        "version": version,
        "kek_id": kek_id,
        "associated_data": join(b"sealgate/wrapped-key/v1", kek_id.encode()).hex(),
    }


def typed_id(prefix: str, millis: int = MILLIS, rest: bytes = bytes([7] * 10)) -> str:
    """A UUIDv7 whose ten random bytes are all 7, in lower-case base32hex."""
    data = bytearray(millis.to_bytes(6, "big") + rest)
    data[6] = 0x70 | (data[6] & 0x0F)
    data[8] = 0x80 | (data[8] & 0x3F)
    return prefix + base64.b32hexencode(bytes(data)).rstrip(b"=").decode().lower()


ACCOUNT, SESSION, TOKEN, KEK, CHALLENGE = (typed_id(prefix) for prefix in ("usr_", "ses_", "tok_", "kek_", "chl_"))


def padded(plain: bytes) -> bytes:
    size = next(size for size in (32, 64, 128, 256, 512) if len(plain) < size)
    return (plain + b"\x80").ljust(size, b"\0")


def sealed(field: str, plain: bytes, is_padded: bool, number: int) -> dict:
    domain, suite, number_be = b"sealgate/field/v1", b"\x01", struct.pack(">H", number)
    info = join(domain, USER_TYPE.encode(), field.encode())
    field_key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(key("dek"))
    aad = join(domain, suite, number_be, USER_TYPE.encode(), ACCOUNT.encode(), field.encode())
    nonce = key("nonce of " + field)[:12]
    body = AESGCM(field_key).encrypt(nonce, padded(plain) if is_padded else plain, aad)
    return {
        "field": field,
        "plain": plain.hex(),
        "key_number": number,
        "hkdf_info": info.hex(),
        "field_key": field_key.hex(),
        "nonce": nonce.hex(),
        "aad": aad.hex(),
        "envelope": (b"\xa1" + suite + number_be + nonce + body).hex(),
    }


def sealed_fields() -> list:
    return [
        sealed("first_name", "O'Brien".encode(), True, 1),
        sealed("last_name", "Wolfeschlegelsteinhausenbergerdorff".encode(), True, 0x0102),
        sealed("email", "ada@example.com".encode(), False, 1),
        sealed("totp", key("totp secret")[:20], False, 1),
        sealed("recovery_key", key("recovery key")[:20], False, 1),
    ]


def blind_index() -> dict:
    values = {"email": "ada@example.com", "username": "ada.lovelace", "phone": "+14155550123"}
    index_key = key("index")
    return {
        "key": index_key.hex(),
        "values": [
            {"kind": kind, "normalised": value, "index": mac(index_key, join(kind.encode(), value.encode())).hex()}
            for kind, value in values.items()
        ],
        "unused_slot": ACCOUNT.encode().hex(),
    }


def email_filter() -> dict:
    filter_key = key("filter")
    index = bytes.fromhex(blind_index()["values"][0]["index"])
    return {
        "key": filter_key.hex(),
        "seed": mac(filter_key, join(b"sealgate/filter-seed/v1")).hex(),
        "items": [
            {
                "user_type": user_type,
                "index": index.hex(),
                "item": mac(filter_key, join(b"sealgate/filter/v1", user_type.encode(), index)).hex(),
            }
            for user_type in ("User1", "User2")
        ],
    }


def record(status, role, flags, password_hash, totp, recovery, epoch, kept_session, slots, rev_sec, texts=None) -> dict:
    # What recovery codes are keyed with where codes by text are on: a third flag, and a part at the end.
    flags = (*flags, 1) if texts else flags
    message = join(
        b"sealgate/record/v1",
        USER_TYPE.encode(),
        ACCOUNT.encode(),
        status.encode(),
        role.encode(),
        bytes(flags),
        password_hash.encode(),
        totp,
        b"".join(recovery),
        struct.pack(">Q", epoch),
        kept_session.encode(),
        join(*slots),
        struct.pack(">Q", rev_sec),
        *([texts] if texts else []),
    )
    version = 0x0102
    return {
        "key": key("mac").hex(),
        "key_version": version,
        "status": status,
        "role": role,
        "is_email_verified": bool(flags[0]),
        "is_phone_verified": bool(flags[1]),
        "password_hash": password_hash or None,
        "totp": totp.hex() or None,
        "recovery": [digest.hex() for digest in recovery],
        "epoch": epoch,
        "kept_session": kept_session or None,
        "slots": [slot.hex() for slot in slots],
        "rev_sec": rev_sec,
        "message": message.hex(),
        "mac": (struct.pack(">H", version) + mac(key("mac"), message)).hex(),
    } | ({"texts": True, "recovery_key": texts.hex()} if texts else {})


def records() -> list:
    unused = ACCOUNT.encode()
    indexes = [bytes.fromhex(value["index"]) for value in blind_index()["values"]]
    used = [unused, indexes[0], unused, indexes[1], unused, indexes[2]]
    totp = bytes.fromhex(sealed_fields()[3]["envelope"])
    recovery_key = bytes.fromhex(sealed_fields()[4]["envelope"])
    recovery = [key("recovery code 1"), key("recovery code 2")]
    phc = password_hash()["phc"]
    return [
        record("active", "user", (1, 0), phc, b"", [], 0, "", used, 0),
        record("locked", "admin", (1, 1), phc, totp, recovery, 2**40 + 3, SESSION, used, 7),
        record("erased", "user", (0, 0), "", b"", [], 4, "", [unused] * 6, 9),
        record("active", "user", (1, 1), phc, b"", recovery, 2, SESSION, used, 3, recovery_key),
    ]


def refresh_token(generation: int, random: bytes) -> dict:
    body = SESSION.encode() + struct.pack(">I", generation) + random
    data = body + mac(key("refresh"), join(b"sealgate/refresh/v1 tag", body))[:16]
    return {
        "generation": generation,
        "random": random.hex(),
        "text": "rt1." + b64url(data),
        "digest": hashlib.sha256(join(b"sealgate/refresh/v1 digest", data)).hexdigest(),
        "next_random": mac(key("refresh"), join(b"sealgate/refresh/v1 next", data)).hex(),
    }


def refresh() -> dict:
    first = refresh_token(0, bytes([7] * 32))
    return {
        "key": key("refresh").hex(),
        "session_id": SESSION,
        "first": first,
        "successor": refresh_token(1, bytes.fromhex(first["next_random"])),
    }


def device() -> dict:
    refresh_key, random = key("refresh"), key("device")[:16]
    tag = mac(refresh_key, join(b"sealgate/device/v1 tag", USER_TYPE.encode(), random))[:16]
    agent, network = b"Mozilla/5.0 (X11; Linux x86_64)", b"203.0.113.0/24"
    digest = join(b"sealgate/device/v1 digest", USER_TYPE.encode(), ACCOUNT.encode(), random)
    place = join(b"sealgate/device/v1 place", USER_TYPE.encode(), ACCOUNT.encode(), agent, network)
    return {
        "key": refresh_key.hex(),
        "random": random.hex(),
        "text": "dv1." + b64url(random + tag),
        "digest": hashlib.sha256(digest).hexdigest(),
        "agent": agent.decode(),
        "network": network.decode(),
        "place": mac(refresh_key, place).hex(),
    }


def session() -> dict:
    mac_key, epoch, created_at, expires_at = key("mac"), 3, MILLIS, MILLIS + 90 * 86_400_000
    message = join(
        b"sealgate/session/v1",
        USER_TYPE.encode(),
        SESSION.encode(),
        ACCOUNT.encode(),
        struct.pack(">Q", epoch),
        struct.pack(">q", created_at),
        struct.pack(">q", expires_at),
    )
    return {
        "key": mac_key.hex(),
        "session_id": SESSION,
        "epoch": epoch,
        "created_at": created_at,
        "expires_at": expires_at,
        "message": message.hex(),
        "mac": (struct.pack(">H", 258) + mac(mac_key, message)).hex(),
    }


def session_link() -> dict:
    refresh_key = key("refresh")
    tag = mac(refresh_key, join(b"sealgate/end-session/v1", USER_TYPE.encode(), SESSION.encode()))
    return {
        "key": refresh_key.hex(),
        "session_id": SESSION,
        "text": "es1." + b64url(SESSION.encode() + tag),
    }


def second_factor_token() -> dict:
    refresh_key = key("refresh")
    expires_at, epoch, remember = 1_764_000_600_000, 7, 1
    facts = expires_at.to_bytes(8, "big") + epoch.to_bytes(8, "big") + bytes([remember]) + ACCOUNT.encode()
    tag = mac(refresh_key, join(b"sealgate/second-factor/v1", USER_TYPE.encode(), facts))
    return {
        "key": refresh_key.hex(),
        "expires_at": expires_at,
        "epoch": epoch,
        "text": "mf1." + b64url(tag + facts),
        "mailed_text": mailed_token(refresh_key, facts),
    }


def mailed_token(refresh_key: bytes, facts: bytes) -> str:
    """The same where the first half was a mail: flags 4 beside the others."""
    facts = facts[:16] + bytes([facts[16] | 4]) + facts[17:]
    tag = mac(refresh_key, join(b"sealgate/second-factor/v1", USER_TYPE.encode(), facts))
    return "mf1." + b64url(tag + facts)


def email_challenge() -> dict:
    """The request's address, sealed as a field of its own under the request key, behind the request's sixteen bytes."""
    request, field, email = typed_id("msg_"), b"sign_in_challenge", b"ada@example.com"
    domain, suite, number = b"sealgate/field/v1", b"\x01", struct.pack(">H", 1)
    info = join(domain, USER_TYPE.encode(), field)
    field_key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(key("request"))
    aad = join(domain, suite, number, USER_TYPE.encode(), request.encode(), field)
    nonce = key("nonce of a challenge")[:12]
    envelope = b"\xa1" + suite + number + nonce + AESGCM(field_key).encrypt(nonce, padded(email), aad)
    uuid = base64.b32hexdecode(request.removeprefix("msg_").upper() + "======")
    return {
        "key": key("request").hex(),
        "request": request,
        "email": email.decode(),
        "text": "ec1." + b64url(uuid + envelope),
    }


def email_sign_in() -> dict:
    random, epoch = key("email sign-in"), 7
    seed = join(b"sealgate/sign-in-code/v1", USER_TYPE.encode(), ACCOUNT.encode(), random)
    code = f"{int.from_bytes(hashlib.sha256(seed).digest()[:8], 'big') % 100_000_000:08}"

    def digest(shown: bytes) -> str:
        bound = [USER_TYPE.encode(), ACCOUNT.encode(), CHALLENGE.encode(), epoch.to_bytes(8, "big")]
        return mac(key("otp"), join(b"sealgate/email-sign-in/v1", *bound, shown)).hex()

    return {
        "key": key("otp").hex(),
        "token": b64url(ACCOUNT.encode() + random),
        "code": code,
        "challenge_id": CHALLENGE,
        "epoch": epoch,
        "code_digest": digest(code.encode()),
        "link_digest": digest(random),
    }


def recovery() -> dict:
    secret, random = key("totp")[:20], key("recovery code")[:10]
    code = base64.b32encode(random).decode().lower()
    code_key = HKDF(hashes.SHA256(), 32, None, b"sealgate/recovery/v1").derive(secret)
    message = join(b"sealgate/recovery/v1", USER_TYPE.encode(), ACCOUNT.encode(), random)
    return {
        "secret": secret.hex(),
        "code": "-".join(code[at : at + 4] for at in range(0, 16, 4)),
        "digest": mac(code_key, message).hex(),
    }


def page_cursor() -> dict:
    root, nonce = key("request"), key("cursor nonce")[:12]
    end, last, filtered = MILLIS + 3_600_000, "usr_06dbd5v801rgf1o70s3ge1o70s", join(b"active", b"", b"")
    derived = HKDF(
        algorithm=hashes.SHA256(), length=32, salt=None, info=join(b"sealgate/cursor/v1", USER_TYPE.encode())
    ).derive(root)
    plain = struct.pack(">q", end) + last.encode()
    beside = join(b"sealgate/cursor/v1", USER_TYPE.encode(), b"accounts", ACCOUNT.encode(), filtered)
    sealed = struct.pack(">H", 1) + nonce + AESGCM(derived).encrypt(nonce, plain, beside)
    return {
        "key": root.hex(),
        "version": 1,
        "derived_key": derived.hex(),
        "list": "accounts",
        "caller": ACCOUNT,
        "filter": filtered.hex(),
        "end": end,
        "last": last,
        "nonce": nonce.hex(),
        "text": "cu1." + b64url(sealed),
    }


def link() -> dict:
    random = key("link random")

    def digest(purpose: str) -> str:
        message = join(b"sealgate/link/v1", USER_TYPE.encode(), purpose.encode(), ACCOUNT.encode(), random)
        return hashlib.sha256(message).hexdigest()

    purposes = ["confirm_address", "change_address", "reset_password", "verify_phone", "accept_invitation"]
    return {
        "random": random.hex(),
        "text": b64url(ACCOUNT.encode() + random),
        "digests": {purpose: digest(purpose) for purpose in purposes},
    }


def code() -> dict:
    """A leading zero, which an integer would lose."""
    text = "042137"
    message = join(
        b"sealgate/code/v1", USER_TYPE.encode(), ACCOUNT.encode(), CHALLENGE.encode(), text.encode()
    )
    return {
        "key": key("otp").hex(),
        "challenge_id": CHALLENGE,
        "code": text,
        "digest": mac(key("otp"), message).hex(),
    }


def password_hash() -> dict:
    password, pepper, version, salt = "Zwölf Boxkämpfer 12!", key("pepper"), 0x0102, key("salt")[:16]
    argon = Argon2id(salt=salt, length=32, iterations=2, lanes=1, memory_cost=19_456, secret=pepper)
    keyid = b64(struct.pack(">H", version))
    phc = f"$argon2id$v=19$m=19456,t=2,p=1,keyid={keyid}${b64(salt)}${b64(argon.derive(password.encode()))}"
    return {"password": password, "pepper": pepper.hex(), "pepper_version": version, "phc": phc}


def compact(header: dict, claims: dict, sign) -> str:
    text = ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return text + "." + b64url(sign(text.encode()))


def access_claims() -> dict:
    issuer = "https://id.example.com/" + USER_TYPE
    seconds = MILLIS // 1000
    return {
        "iss": issuer,
        "aud": issuer,
        "sub": ACCOUNT,
        "client_id": "sealgate",
        "iat": seconds,
        "exp": seconds + 1800,
        "jti": TOKEN,
        "sid": SESSION,
        "auth_time": seconds - 60,
        "amr": ["pwd", "otp", "mfa"],
        "ut": USER_TYPE,
        "role": "user",
    }


def access_token() -> dict:
    claims = access_claims()
    return {"issuer_base": "https://id.example.com", "claims": claims} | signed("at+jwt", claims)


def receipt_claims() -> dict:
    return {
        "iss": "https://id.example.com/" + USER_TYPE,
        "sub": ACCOUNT,
        "ut": USER_TYPE,
        "iat": MILLIS // 1000,
        "erased": "account",
        "keys": ["1", "2"],
    }


def receipt() -> dict:
    claims = receipt_claims()
    return {"claims": claims} | signed("erasure-receipt+jwt", claims)


def receipt_of_keys() -> dict:
    """With what wrapped the keys."""
    claims = receipt_claims() | {"wrapped_by": [KEK]}
    return {"claims": claims} | signed("erasure-receipt+jwt", claims)


def erasure() -> dict:
    """A line of the erasure journal."""
    mac_key, erased_at = key("mac"), MILLIS
    message = join(b"sealgate/erasure/v1", USER_TYPE.encode(), ACCOUNT.encode(), struct.pack(">q", erased_at))
    tag = (struct.pack(">H", 258) + mac(mac_key, message)).hex()
    line = {
        "v": 1,
        "user_type": USER_TYPE,
        "account_id": ACCOUNT,
        "erased_at": erased_at,
        "receipt": receipt_of_keys()["eddsa"]["token"],
        "mac": tag,
    }
    return {
        "key": mac_key.hex(),
        "erased_at": erased_at,
        "message": message.hex(),
        "mac": tag,
        "line": json.dumps(line, separators=(",", ":")),
    }


def signed(typ: str, claims: dict) -> dict:
    """With both methods."""
    secret = key("hs256")
    hs256 = {"typ": typ, "alg": "HS256", "kid": "hs256-" + b64url(mac(secret, b"sealgate/kid/v1")[:12])}

    pair = Ed25519PrivateKey.from_private_bytes(key("ed25519"))
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(pair.public_key().public_bytes(*raw))}
    thumbprint = hashlib.sha256(json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode()).digest()
    eddsa = {"typ": typ, "alg": "EdDSA", "kid": b64url(thumbprint)}
    pkcs8 = pair.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "hs256": {
            "secret": secret.hex(),
            "header": hs256,
            "token": compact(hs256, claims, lambda text: mac(secret, text)),
        },
        "eddsa": {"pkcs8": pkcs8.hex(), "header": eddsa, "token": compact(eddsa, claims, pair.sign)},
    }


def bson_element(name: str, value) -> bytes:
    """One element of a BSON document (bsonspec.org): text, int64, int32 (as a tuple of one), nothing, or a document."""
    key = name.encode() + b"\0"
    match value:
        case None:
            return b"\x0a" + key
        case str():
            text = value.encode() + b"\0"
            return b"\x02" + key + struct.pack("<i", len(text)) + text
        case int():
            return b"\x12" + key + struct.pack("<q", value)
        case (number,):
            return b"\x10" + key + struct.pack("<i", number)
        case dict():
            body = b"".join(bson_element(name, value) for name, value in value.items())
            return b"\x03" + key + struct.pack("<i", len(body) + 5) + body + b"\0"
    raise TypeError(value)


def audit_entry(fields: dict) -> dict:
    ident = fields.pop("_id")
    body = b"".join(bson_element(name, value) for name, value in fields.items())
    whole = bson_element("_id", ident) + body
    return {
        "id": ident,
        "document": (struct.pack("<i", len(whole) + 5) + whole + b"\0").hex(),
        "body": body.hex(),
        "digest": hashlib.sha256(join(b"sealgate/audit-entry/v1") + body).hexdigest(),
    }


def audit() -> dict:
    """Two links over two entries: the first as it was before networks were kept, the second with everything."""
    version, k = 0x0102, key("audit")
    first, second = typed_id("aud_"), typed_id("aud_")[:-2] + "9s"
    old = {
        "_id": first,
        "schema": (1,),
        "user_type": USER_TYPE,
        "account_id": ACCOUNT,
        "event": "signed_in",
        "outcome": "success",
        "at": MILLIS,
        "request_id": None,
    }
    new = {
        "_id": second,
        "schema": (1,),
        "user_type": USER_TYPE,
        "account_id": ACCOUNT,
        "event": "message_sent",
        "outcome": "success",
        "at": MILLIS + 1000,
        "request_id": "req-1",
        "network": "203.0.113.0/24",
        "details": {"kind": "phone_code", "message_id": typed_id("msg_")},
    }
    entries = [audit_entry(old), audit_entry(new)]
    links, previous = [], b""
    for place, covered in ((1, [0]), (2, [1])):
        at, through, begins_at, begins_after = MILLIS + 40_000 * place, MILLIS + 1000 * (place - 1), 1, 0
        run = b"".join(
            join(entries[n]["id"].encode(), bytes.fromhex(entries[n]["digest"])) for n in covered
        )
        message = join(
            b"sealgate/audit/v1",
            struct.pack(">Q", place),
            struct.pack(">q", at),
            struct.pack(">I", len(covered)),
            hashlib.sha256(run).digest(),
            struct.pack(">q", through),
            struct.pack(">Q", begins_at),
            struct.pack(">q", begins_after),
            previous,
        )
        previous = struct.pack(">H", version) + mac(k, message)
        links.append(
            {
                "place": place,
                "at": at,
                "entries": covered,
                "through": through,
                "begins_at": begins_at,
                "begins_after": begins_after,
                "message": message.hex(),
                "mac": previous.hex(),
            }
        )
    return {"key": k.hex(), "key_version": version, "entries": entries, "links": links}
def is_prime(number: int) -> bool:
    """Miller-Rabin to forty fixed bases: good for numbers that nobody chose to deceive it."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in range(2, 42):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def prime(name: str, bits: int) -> int:
    """The first prime after a number that the name decides, with both highest bits set."""
    data = b"".join(key(f"{name} {part}") for part in range(bits // 256))
    number = int.from_bytes(data, "big") | 3 << (bits - 2) | 1
    while number % 65537 == 1 or not is_prime(number):
        number += 2
    return number


def rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    p, q = prime(name + " p", bits // 2), prime(name + " q", bits // 2)
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    return numbers.private_key()


def integer(number: int, length: int | None = None) -> str:
    return b64url(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


def pairs() -> dict:
    """Each pair, its public key with the members that RFC 7638 names, and what signs with it."""
    ed25519 = Ed25519PrivateKey.from_private_bytes(key("ed25519"))
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    point = {"crv": "Ed25519", "kty": "OKP", "x": b64url(ed25519.public_key().public_bytes(*raw))}

    p256 = ec.derive_private_key(int.from_bytes(key("p256"), "big"), ec.SECP256R1())
    numbers = p256.public_key().public_numbers()
    curve = {"crv": "P-256", "kty": "EC", "x": integer(numbers.x, 32), "y": integer(numbers.y, 32)}

    def es256(text: bytes) -> bytes:
        r, s = utils.decode_dss_signature(p256.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    rsa_pair = rsa_key("rsa", 2048)
    public = rsa_pair.public_key().public_numbers()
    modulus = {"e": integer(public.e), "kty": "RSA", "n": integer(public.n)}

    def rs256(text: bytes) -> bytes:
        return rsa_pair.sign(text, padding.PKCS1v15(), hashes.SHA256())

    return {
        "eddsa": ("EdDSA", ed25519, point, ed25519.sign),
        "es256": ("ES256", p256, curve, es256),
        "rs256": ("RS256", rsa_pair, modulus, rs256),
    }


def canonical(jwk: dict) -> str:
    return json.dumps(jwk, separators=(",", ":"), sort_keys=True)


def thumbprint(jwk: dict) -> str:
    return b64url(hashlib.sha256(canonical(jwk).encode()).digest())


def public_keys() -> dict:
    """What is kept of a retired pair, and what is published of one that verifies."""
    return {
        name: {
            "retired": canonical(jwk),
            "jwk": {"kid": thumbprint(jwk), "use": "sig", "alg": alg} | jwk,
        }
        for name, (alg, _, jwk, _) in pairs().items()
    }


def signed_by_pairs(typ: str, claims: dict) -> dict:
    """With the algorithms that came later."""
    tokens = {}
    for name, (alg, pair, jwk, sign) in pairs().items():
        if name == "eddsa":
            continue
        header = {"typ": typ, "alg": alg, "kid": thumbprint(jwk)}
        pkcs8 = pair.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        tokens[name] = {"pkcs8": pkcs8.hex(), "header": header, "token": compact(header, claims, sign)}
    return tokens


def rsa_pem() -> dict:
    """The RSA pair as openssl writes it, and one that is too weak."""

    def private(pair: rsa.RSAPrivateKey, form: serialization.PrivateFormat) -> str:
        return pair.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def public(pair: rsa.RSAPrivateKey, form: serialization.PublicFormat) -> str:
        return pair.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    pair, weak, other = pairs()["rs256"][1], rsa_key("weak rsa", 1024), rsa_key("other rsa", 2048)
    return {
        "pkcs8": private(pair, serialization.PrivateFormat.PKCS8),
        "pkcs1": private(pair, serialization.PrivateFormat.TraditionalOpenSSL),
        "public": public(pair, serialization.PublicFormat.SubjectPublicKeyInfo),
        "public_pkcs1": public(pair, serialization.PublicFormat.PKCS1),
        "weak": private(weak, serialization.PrivateFormat.PKCS8),
        "weak_public": public(weak, serialization.PublicFormat.SubjectPublicKeyInfo),
        "other_public": public(other, serialization.PublicFormat.SubjectPublicKeyInfo),
    }


def frozen() -> dict:
    return {
        "about": "Computed by make_frozen.py beside this file. An entry that exists never changes.",
        "user_type": USER_TYPE,
        "account_id": ACCOUNT,
        "fields": {
            "email": False,
            "email_pending": False,
            "username": True,
            "first_name": True,
            "last_name": True,
            "phone": True,
            "country_code": True,
            "attributes": False,
            "totp": False,
            "totp_pending": False,
            "recovery_key": False,
            "request_address": True,
            "sign_in_challenge": True,
            "outbox_to": True,
            "outbox_link": False,
            "session_agent": True,
            "session_network": True,
        },
        "key_uses": {
            "index.User1": 32,
            "pepper": 32,
            "otp": 32,
            "mac": 32,
            "refresh": 32,
            "token": None,
            "request": 32,
            "filter": 32,
            "rate": 32,
            "idempotency": 32,
            "audit": 32,
        },
        "dek": key("dek").hex(),
        "wrapped_dek": {
            "kek_id": KEK,
            "kek": key("kek").hex(),
            "wrapped": aes_key_wrap_with_padding(key("kek"), key("dek")).hex(),
            "key_file": f"# Oldest first\n{KEK} {base64.b64encode(key('kek')).decode()}\n",
        },
        "transit_names": [transit_name(b"transit", b"sealgate", 1), transit_name(b"kms/a", b"gate", 300)],
        "sealed": sealed_fields(),
        "blind_index": blind_index(),
        "records": records(),
        "refresh": refresh(),
        "link": link(),
        "password_hash": password_hash(),
        "access_token": access_token(),
        "code": code(),
        "receipt": receipt(),
        "filter": email_filter(),
        "device": device(),
        "session_link": session_link(),
        "second_factor_token": second_factor_token(),
        "email_challenge": email_challenge(),
        "email_sign_in": email_sign_in(),
        "recovery": recovery(),
        "session": session(),
        "audit": audit(),
        "access_token_pairs": signed_by_pairs("at+jwt", access_claims()),
        "receipt_pairs": signed_by_pairs("erasure-receipt+jwt", receipt_claims()),
        "public_keys": public_keys(),
        "rsa_pem": rsa_pem(),
        "receipt_of_keys": receipt_of_keys(),
        "erasure": erasure(),
        "page_cursor": page_cursor(),
    }


def main() -> None:
    path = pathlib.Path(__file__).with_name("frozen.json")
    text = json.dumps(frozen(), indent=2, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path} is not what this script computes")


if __name__ == "__main__":
    main()
