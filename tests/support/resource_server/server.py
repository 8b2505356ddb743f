"""A service in another language that takes the access tokens of one issuer, knowing nothing but the issuer's name.

usage: server.py ISSUER     reads one token a line, prints one line of JSON for each: the claims, or why it is refused
"""

import json
import sys
import urllib.parse
import urllib.request

import jwt

CLAIMS = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti"]


def metadata(issuer: str) -> dict:
    """RFC 8414 section 3: the well-known part stands before the issuer's path, and the issuer must be the same."""
    url = urllib.parse.urlsplit(issuer)
    place = url._replace(path="/.well-known/oauth-authorization-server" + url.path)
    with urllib.request.urlopen(urllib.parse.urlunsplit(place), timeout=20) as answer:
        found = json.load(answer)
    assert found["issuer"] == issuer, found
    return found


def verify(token: str, issuer: str, keys: jwt.PyJWKClient) -> dict:
    """RFC 9068 section 4."""
    header = jwt.get_unverified_header(token)
    if header.get("typ", "").lower() not in ("at+jwt", "application/at+jwt"):
        raise jwt.InvalidTokenError("not an access token")
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token, key, algorithms=[key.algorithm_name], audience=issuer, issuer=issuer, options={"require": CLAIMS}
    )


def main() -> None:
    issuer = sys.argv[1]
    # In the test a new key signs at once and not after two minutes: what is unknown is fetched again at once, too.
    keys = jwt.PyJWKClient(metadata(issuer)["jwks_uri"], cooldown_duration=0)
    for line in sys.stdin:
        try:
            answer = {"claims": verify(line.strip(), issuer, keys)}
        except jwt.PyJWTError as error:
            answer = {"refused": type(error).__name__}
        print(json.dumps(answer), flush=True)


main()
