"""Ask a server why it refuses a connection, by PostgreSQL's protocol and not by its messages.

libpq gives the text of a failed connection and no SQLSTATE, and a server speaks the language of its
`lc_messages`. So after a failure that the text doesn't explain, this module repeats the start of
the connection: TLS as the address asks for it, the startup message, and the password, if libpq has
just used it. The answer's SQLSTATE is the same in every language.

Imported only after a failure.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import socket
import ssl
import stringprep
import struct
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from surefoot.diagnosis.refused import Answer, wants_certificate

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_PROTOCOL = 196608  # 3.0
_LONGEST = 100_000  # bytes of one message: a longer one isn't this protocol
_VERIFYING = ("verify-ca", "verify-full")
_REQUIRING = ("require", *_VERIFYING)
# The attempts by sslmode: with TLS (True) or without.
_TRIES = {"disable": (False,), "allow": (False, True), "prefer": (True, False)}


class _NoAnswer(Exception):
    """No server answers there, or not in this protocol."""


class _NotSpoken(Exception):
    """The server doesn't speak TLS."""


def answer(error: psycopg.Error, *, timeout: float) -> Answer | None:
    """Return the answer of the server that caused `error`; None if it can't be known.

    `timeout` is for all of it, in seconds.
    """
    failed: Any = error.pgconn
    if failed is None or not (failed.port or b"5432").isdigit():
        return None
    place = _Place(failed, time.monotonic() + timeout)
    missing = place.missing_root()
    if missing:
        return Answer(tls="no-root", said=missing, sslmode=place.sslmode)
    if failed.needs_password:
        return Answer(sqlstate="28P01", no_password=True, sslmode=place.sslmode)
    found: Answer | None = None
    for encrypted in _TRIES.get(place.sslmode, (True,)):
        if place.is_local and encrypted:
            continue
        tried = _tried(place, encrypted, with_password=bool(failed.used_password))
        if tried is not None:
            found = tried
        if found is not None and found.sqlstate != "28000":
            return found
    if found is None or found.sqlstate != "28000" or place.is_local:
        return found
    user = place.user.decode(errors="replace")
    return found if wants_certificate(found, user) else _other_way(place, found)


def _other_way(place: "_Place", found: Answer) -> Answer:
    """Whether the server would admit the connection with TLS instead of without, or vice versa.

    Only asked, without a password.
    """
    tried = _TRIES.get(place.sslmode, (True,))
    if len(tried) == 1:
        other = _tried(place, not tried[0], with_password=False, verify=False)
        if other is not None and not other.tls and other.sqlstate != "28000":
            return Answer(
                found.sqlstate,
                found.routine,
                found.message,
                tls="unwanted" if tried[0] else "wanted",
                sslmode=place.sslmode,
            )
    return found


class _Place:
    """Where a connection failed, and its parameters, as libpq has resolved them."""

    def __init__(self, failed: Any, deadline: float) -> None:
        self.options = {
            option.keyword.decode(): option.val.decode(errors="replace")
            for option in failed.info
            if option.val
        }
        self.user = bytes(failed.user)
        self.database = bytes(failed.db)
        self.password = bytes(failed.password)
        self.host = os.fsdecode(failed.host)
        self.port = int(failed.port or b"5432")
        self.sslmode = self.options.get("sslmode", "prefer")
        self._deadline = deadline

    @property
    def is_local(self) -> bool:
        return self.host.startswith(("/", "@")) and not self.options.get("hostaddr")

    @property
    def left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _NoAnswer
        return left

    @property
    def root(self) -> Path:
        """The file with the root certificates, whether or not it exists."""
        return Path(self.options.get("sslrootcert") or Path.home() / ".postgresql" / "root.crt")

    @property
    def certificate(self) -> str:
        """The client's own certificate, if any: like libpq, it ignores a missing file."""
        named = self.options.get("sslcert", "")
        return named if named and _is_there(Path(named)) else ""

    def missing_root(self) -> str:
        """The file with the root certificates, if it is missing and needed."""
        if self.is_local:
            return ""
        if self.sslmode not in _VERIFYING or self.options.get("sslrootcert") == "system":
            return ""
        return "" if _is_there(self.root) else str(self.root)

    def connect(self) -> socket.socket:
        if self.is_local:
            made = socket.socket(socket.AF_UNIX)
            try:
                made.settimeout(min(self.left, 1.0))
                # libpq writes an abstract name with a leading @
                name = f"{self.host}/.s.PGSQL.{self.port}"
                made.connect("\0" + name[1:] if name.startswith("@") else name)
            except BaseException:
                made.close()
                raise
            return made
        where = self.options.get("hostaddr") or self.host
        return socket.create_connection((where, self.port), timeout=min(self.left, 2.0))

    def context(self, *, verify: bool) -> ssl.SSLContext:
        """Return the TLS settings as in libpq: an existing root certificate is used even for
        `require`.
        """
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = verify and self.sslmode == "verify-full"
        checked = self.sslmode in _VERIFYING or (self.sslmode == "require" and self.root.exists())
        made.verify_mode = ssl.CERT_REQUIRED if verify and checked else ssl.CERT_NONE
        if made.verify_mode is ssl.CERT_REQUIRED:
            if self.options.get("sslrootcert") == "system":
                made.load_default_certs()
            else:
                made.load_verify_locations(self.root)
        if verify and self.certificate:
            made.load_cert_chain(
                self.certificate,
                self.options.get("sslkey"),
                # otherwise OpenSSL would ask for it on the terminal
                self.options.get("sslpassword", ""),
            )
        if self.options.get("sslnegotiation") == "direct":
            made.set_alpn_protocols(["postgresql"])
        return made


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


def _tried(
    place: _Place, encrypted: bool, *, with_password: bool, verify: bool = True
) -> Answer | None:
    """Return the result of one attempt, with or without TLS."""
    with contextlib.ExitStack() as stack:
        try:
            plain = stack.enter_context(place.connect())
            plain.settimeout(place.left)
            connection = (
                stack.enter_context(_encrypted(place, plain, verify=verify)) if encrypted else plain
            )
            return _started(_Wire(connection, place), place, encrypted, with_password)
        except _NotSpoken:
            if place.sslmode in _REQUIRING:
                return Answer(tls="not-spoken", sslmode=place.sslmode)
            return None
        except ssl.SSLCertVerificationError as error:
            name = error.verify_code in (62, 64)  # the host's name, its address
            tls = "other-host" if name else "not-trusted"
            return Answer(tls=tls, said=error.verify_message, sslmode=place.sslmode)
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                return None  # ended in the middle: a restart, a proxy without a server
            said = (error.reason or "").replace("_", " ").lower()
            return Answer(tls="failed", said=said or str(error), sslmode=place.sslmode)
        except (OSError, _NoAnswer, struct.error, ValueError, IndexError):
            return None


def _encrypted(place: _Place, plain: socket.socket, *, verify: bool) -> ssl.SSLSocket:
    if place.options.get("sslnegotiation") != "direct":
        plain.sendall(_SSL_REQUEST)
        said = plain.recv(1)
        if said == b"N":
            raise _NotSpoken
        if said != b"S":
            raise _NoAnswer
    host = None if place.host.startswith(("/", "@")) else place.host
    return place.context(verify=verify).wrap_socket(plain, server_hostname=host or None)


class _Wire:
    """Messages of the protocol, one at a time."""

    def __init__(self, connection: socket.socket, place: _Place) -> None:
        self._connection, self._place = connection, place

    def send(self, kind: bytes, body: bytes) -> None:
        self._connection.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next message: its kind and its body."""
        head = self._exactly(5)
        length = struct.unpack("!i", head[1:])[0] - 4
        if not 0 <= length <= _LONGEST:
            raise _NoAnswer
        return head[:1], self._exactly(length)

    def _exactly(self, number: int) -> bytes:
        found = b""
        while len(found) < number:
            self._connection.settimeout(self._place.left)
            piece = self._connection.recv(number - len(found))
            if not piece:
                raise _NoAnswer
            found += piece
        return found


def _started(wire: _Wire, place: _Place, encrypted: bool, with_password: bool) -> Answer:
    """Send the startup message, and the password if asked, until there is a result."""
    settings = {b"user": place.user, b"database": place.database}
    for name in ("options", "client_encoding"):
        if place.options.get(name):
            settings[name.encode()] = place.options[name].encode()
    body = b"".join(key + b"\0" + value + b"\0" for key, value in settings.items())
    wire.send(b"", struct.pack("!i", _PROTOCOL) + body + b"\0")
    # with these, libpq never gives the password to a server without them
    careful = place.options.get("require_auth") or place.options.get("channel_binding") == "require"
    exchange = _Exchange(place) if with_password and not careful else None
    while True:
        kind, body = wire.receive()
        if kind == b"E":
            return _refused(body, place, encrypted)
        if kind == b"Z":
            wire.send(b"X", b"")
            return Answer(sslmode=place.sslmode)
        if kind != b"R":
            continue
        method = struct.unpack("!i", body[:4])[0]
        reply = exchange.reply(method, body[4:]) if exchange and method else None
        if method and reply is None and method != 12:
            return Answer(asks=True, sslmode=place.sslmode)
        if reply is not None:
            wire.send(b"p", reply)


def _refused(body: bytes, place: _Place, encrypted: bool) -> Answer:
    fields = {
        chr(field[0]): field[1:].decode("utf-8", errors="replace")
        for field in body.split(b"\0")
        if field
    }
    return Answer(
        fields.get("C", ""),
        fields.get("R", ""),
        fields.get("M", ""),
        sslmode=place.sslmode,
        encrypted=encrypted,
        has_options=bool(place.options.get("options")),
    )


class _Exchange:
    """Gives a password as the server asks for it: in clear, as MD5, or by SCRAM."""

    def __init__(self, place: _Place) -> None:
        self._user, self._password = place.user, place.password
        self._nonce = base64.b64encode(secrets.token_bytes(18))
        self._first = b"n=,r=" + self._nonce

    def reply(self, method: int, body: bytes) -> bytes | None:
        """Return the answer; None if the method isn't one of these, or needs no answer."""
        if method == 3:
            return self._password + b"\0"
        if method == 5:
            inner = hashlib.md5(self._password + self._user, usedforsecurity=False).hexdigest()
            outer = hashlib.md5(inner.encode() + body[:4], usedforsecurity=False).hexdigest()
            return b"md5" + outer.encode() + b"\0"
        if method == 10 and b"SCRAM-SHA-256" in body.split(b"\0"):
            first = b"n,," + self._first
            return b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
        return self._proof(body) if method == 11 else None

    def _proof(self, body: bytes) -> bytes:
        parts: Mapping[bytes, bytes] = {
            key: value for key, _, value in (part.partition(b"=") for part in body.split(b","))
        }
        if not parts[b"r"].startswith(self._nonce):
            raise _NoAnswer
        final = b"c=biws,r=" + parts[b"r"]
        salt, rounds = base64.b64decode(parts[b"s"]), int(parts[b"i"])
        salted = hashlib.pbkdf2_hmac("sha256", _prepared(self._password), salt, min(rounds, 10**6))
        client = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(client).digest()
        signed = hmac.digest(stored, b",".join((self._first, body, final)), "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signed, strict=True))
        return final + b",p=" + base64.b64encode(proof)


def _prepared(password: bytes) -> bytes:
    """Apply SASLprep, if it changes anything; what isn't text stays unchanged."""
    if password.isascii():
        return password
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(sign) else sign
        for sign in text
        if not stringprep.in_table_b1(sign)
    )
    return unicodedata.normalize("NFKC", mapped).encode()
