"""Why a connection was refused, and whether waiting may help.

libpq gives no SQLSTATE for a failed connection, only the text. `refusal` recognises the text of a
server or a pooler in English. `entry` understands the server's own answer, which
`surefoot.postgres.answer` asks for, in any language.
"""

import re

import msgspec

from surefoot.diagnosis import pooler
from surefoot.diagnosis.cause import Cause
from surefoot.diagnosis.names import identifier
from surefoot.diagnosis.server import more_connections
from surefoot.errors import ErrorCode
from surefoot.errors.steps import to_type

_FULL = re.compile(
    r"sorry, too many clients already|remaining connection slots are reserved"
    r"|too many connections for (?:role|database)|too many clients"
)
_NOT_READY = re.compile(
    r"the database system is (?:starting up|shutting down|in recovery mode"
    r"|not (?:yet )?accepting connections)"
)
_NO_PRIMARY = re.compile(
    r"session is read-only|server is in hot standby mode|server is not in hot standby mode"
)


class Refusal(msgspec.Struct, frozen=True):
    """The condition, and what to do about it. `waits`: waiting may help."""

    code: ErrorCode
    message: str
    next: str
    waits: bool = True


class Answer(msgspec.Struct, frozen=True):
    """How an attempt to connect ended, by the protocol.

    `sqlstate`, `routine` (the function in the server's source) and `message` are the server's
    error; all empty if it accepted the connection. `tls` says what is wrong with TLS: "no-root",
    "not-spoken", "not-trusted", "other-host", "failed", "wanted" (it is required) or "unwanted".
    `said` is the missing root certificate, or the TLS library's message. `asks`: the server wants
    an authentication that wasn't tried.
    """

    sqlstate: str = ""
    routine: str = ""
    message: str = ""
    tls: str = ""
    said: str = ""
    sslmode: str = ""
    encrypted: bool = False
    asks: bool = False
    no_password: bool = False
    has_options: bool = False


_WAIT = "`wait` in surefoot.toml sets how long to wait"

# The server's errors about `options`: a setting's name, its value, its privilege, its syntax.
_OF_OPTIONS = frozenset(("22023", "42601", "42704", "55P02", "42501"))
_BY_HBA, _OF_ROLE, _OF_DATABASE = (
    "ClientAuthentication",
    "InitializeSessionUserId",
    "CheckMyDatabase",
)
_PASSWORD = (
    "correct the user or the password; a volume that was initialised earlier keeps the password "
    "that it was initialised with"
)


def entry(answer: Answer, user: str, database: str) -> Refusal | None:
    """Explain why the server doesn't let `user` into `database`; None if its answer doesn't say."""
    if answer.tls:
        return _tls(answer)
    state, routine = answer.sqlstate, answer.routine
    if answer.no_password:
        return Refusal(
            "authentication-failed",
            "The server requires a password, but none was given",
            "put it into the address, or set POSTGRES_PASSWORD or PGPASSWORD beside the names that "
            "are set already",
            waits=False,
        )
    if answer.has_options and state in _OF_OPTIONS and routine != _OF_DATABASE:
        return Refusal("database-url-invalid", "", "", waits=False)
    if state == "28P01":
        return _not_let_in(_PASSWORD)
    if state == "28000":
        return _by_name(answer, user)
    if state == "42501":
        grant = f"grant connect on database {identifier(database)} to {identifier(user)};"
        return _not_let_in(to_type("let the role into the database, as its owner", grant))
    if state == "3D000":
        return Refusal("database-not-found", "", "", waits=False)
    if state == "53300":
        kind = {_OF_ROLE: "for role", _OF_DATABASE: "for database"}.get(routine, "")
        return refusal(kind, state, user, database)
    if state == "55000" and routine == _OF_DATABASE:
        return Refusal(
            "server-not-ready",
            "The server is there, but the database accepts no connections",
            to_type(
                "in another database of the server",
                f"alter database {identifier(database)} allow_connections true;",
                then="`wait` in surefoot.toml sets how long to wait",
            ),
        )
    found = refusal("", state)
    if found is None and state:
        return Refusal(
            "server-not-ready",
            "The server answers, but doesn't let this user in",
            "see the server's message above, and its log; `wait` in surefoot.toml sets how long to "
            "wait",
        )
    return found


def _not_let_in(next: str) -> Refusal:
    message = "The server did not let this user in"
    return Refusal("authentication-failed", message, next, waits=False)


def wants_certificate(answer: Answer, user: str) -> bool:
    """Whether the server missed a client certificate, or rejected the one it got.

    Its message about pg_hba.conf has the same SQLSTATE, and names the user in every language.
    """
    refused = answer.sqlstate == "28000" and answer.routine == _BY_HBA
    return refused and answer.encrypted and user not in answer.message


def _by_name(answer: Answer, user: str) -> Refusal:
    """Explain 28000: pg_hba.conf, a client certificate, or the role itself."""
    if answer.routine == _OF_ROLE:
        name = identifier(user)
        return _not_let_in(
            to_type(
                "correct the user in the address; or, if the role isn't there or may not log in, "
                "make it or let it log in, by one of",
                f"create role {name} login;",
                f"alter role {name} login;",
                then="then start again",
            )
        )
    if wants_certificate(answer, user):
        return Refusal(
            "tls-failed",
            "The server requires a client certificate that it can verify",
            "name the certificate and its key in the address: sslcert=FILE and sslkey=FILE; the "
            "certificate must be signed by an authority of the server's ssl_ca_file",
            waits=False,
        )
    if answer.routine == _BY_HBA:
        return _not_let_in(
            "add a line for this user, database and client address to the server's pg_hba.conf and "
            "reload it (select pg_reload_conf();); or correct the user or the database"
        )
    return _not_let_in(_PASSWORD)


_TLS_NEXT = {
    "not-spoken": (
        "The address requires TLS (sslmode={mode}), but the server doesn't support it",
        "give the server a certificate (ssl = on, ssl_cert_file and ssl_key_file in "
        "postgresql.conf, then reload it); or, where the network itself is trusted, write "
        "sslmode=disable where sslmode={mode} is written now: in the address, or in PGSSLMODE",
    ),
    "other-host": (
        "The server's certificate is for another host name than the address has",
        "write the host name that the certificate is for into the address (with hostaddr=IP beside "
        "it, where that name doesn't resolve); or give the server a certificate for the name that "
        "the address has",
    ),
    "failed": (
        "TLS with the server could not be set up",
        "see what the TLS library says above: certificates, keys and the versions of TLS that the "
        "server (ssl_min_protocol_version) and the address allow must fit together",
    ),
    "wanted": (
        "The server lets this user in only with TLS, but the address disables it",
        "write sslmode=require where sslmode={mode} is written now: in the address, or in "
        "PGSSLMODE",
    ),
    "unwanted": (
        "The server lets this user in only without TLS, but the address requires it",
        "change the user's line in the server's pg_hba.conf from hostnossl to host or hostssl and "
        "reload it (select pg_reload_conf();)",
    ),
}


def _tls(answer: Answer) -> Refusal:
    if answer.tls == "no-root":
        return Refusal(
            "tls-failed",
            f"TLS needs the root certificate {answer.said}, which doesn't exist",
            "put the certificate of the authority that signed the server's certificate there; or "
            "name the file that has it in the address, with sslrootcert=FILE",
            waits=False,
        )
    if answer.tls == "not-trusted":
        expired = "expired" in answer.said or "not yet valid" in answer.said
        return Refusal(
            "tls-failed",
            f"The server's certificate isn't accepted: {answer.said}",
            "renew the server's certificate (ssl_cert_file in postgresql.conf, then reload it), or "
            "correct the clock of this machine"
            if expired
            else "name the certificate of the authority that signed the server's certificate: "
            "sslrootcert=FILE in the address (of a self-signed certificate, that is the "
            "certificate itself)",
            waits=False,
        )
    message, next = (text.replace("{mode}", answer.sslmode) for text in _TLS_NEXT[answer.tls])
    return Refusal("tls-failed", message, next, waits=False)


# libpq's own messages, about this side of the connection.
_CLIENT_TLS = re.compile(
    r"root certificate file .* does not exist|could not read root certificate file"
    r"|could not get home directory to locate root certificate|certificate present, but not private"
    r"|could not (?:load|open|read) (?:private key|certificate) file"
    r"|private key file .* (?:has group|must be owned|is not a regular)"
    r"|certificate does not match private key|weak sslmode .* may not be used|SSL error: "
    r"|SSL support is not compiled in|server does not support SSL"
    r"|server certificate for .* does not match host name"
)
_CLIENT_DEMANDS = re.compile(
    r"channel binding (?:is )?required|authentication method requirement .* failed"
    r"|GSSAPI encryption required|server did not complete authentication"
)


def by_client(text: str) -> Refusal | None:
    """Explain what libpq itself refuses: TLS that can't be set up, a requirement that isn't met."""
    if _CLIENT_TLS.search(text):
        message, next = _TLS_NEXT["failed"]
        return Refusal("tls-failed", message, next, waits=False)
    if _CLIENT_DEMANDS.search(text):
        return Refusal(
            "authentication-failed",
            "The server doesn't support something that the address requires",
            "leave out of the address what the server doesn't offer (channel_binding, "
            "require_auth, gssencmode); or have it offered there",
            waits=False,
        )
    return None


def refusal(text: str, sqlstate: str = "", user: str = "", database: str = "") -> Refusal | None:
    """Explain libpq's (or a driver's) message or SQLSTATE; None if it is none of these.

    `user` and `database` are those of the address. `message` is a sentence without its end.
    """
    if sqlstate == "53300" or _FULL.search(text) or pooler.is_full(text):
        return Refusal(
            "too-many-connections",
            "The server has no connection left",
            more_connections(text, user, database, then=_WAIT),
        )
    if sqlstate == "57P03" or _NOT_READY.search(text):
        return Refusal(
            "server-not-ready",
            "The server is there, but accepts no connections",
            "see its log for how far it is (recovery takes its time); `wait` in surefoot.toml sets "
            "how long to wait",
        )
    if _NO_PRIMARY.search(text):
        return Refusal(
            "server-not-ready",
            "No server is what target_session_attrs requires",
            "see which server is the primary; after a failover a standby must be promoted first. "
            "Or correct target_session_attrs in the address",
        )
    if pooler.refuses_parameter(text):
        return Refusal(
            "pooler-in-the-way",
            "The pooler rejects a parameter of the address",
            pooler.OWN_ADDRESS + "; or add the parameter to ignore_startup_parameters in "
            "pgbouncer.ini, where nothing depends on it",
            waits=False,
        )
    if pooler.server_behind_is_down(text):
        return Refusal(
            "server-unreachable",
            "The pooler answers, but its server doesn't",
            "start the server, or correct its address in the pooler's configuration; `wait` in "
            "surefoot.toml sets how long to wait",
        )
    if pooler.gave_no_connection(text):
        return Refusal(
            "server-unreachable",
            "The pooler answers, but gives no connection to the server",
            "see whether the server behind the pooler is up; if it is, all connections of the pool "
            "are taken: raise default_pool_size. Or " + pooler.OWN_ADDRESS,
        )
    return None


def state_by_words(text: str) -> str | None:
    """Return the SQLSTATE of a refused connection if the driver gives only the text."""
    if _FULL.search(text):
        return "53300"
    return "57P03" if _NOT_READY.search(text) else None


def before_anything(cause: Cause | None, text: str) -> Refusal | None:
    """Explain the same for what the application's own code raised before the first revision."""
    state = cause.sqlstate if cause is not None else ""
    if state in ("26000", "42P05") and cause is not None:
        next = pooler.prepared_statement(cause).next
        return Refusal("pooler-in-the-way", "A prepared statement was lost", next, waits=False)
    return refusal(text, state)
