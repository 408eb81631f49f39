"""Where the database is, written wrongly in every place where it may be written."""

import random
from urllib.parse import quote, quote_plus

from tests.chaos.bad_cases import (
    ANYTHING,
    REFUSED,
    Case,
    a_case,
    mutated,
)
from tests.chaos.bad_world import World

# {p} is the password as it is, {q} percent-encoded, {h} host:port, {d} the database, {u} the user.
RIGHT = [
    *(
        "postgresql://{u}:{q}@{h}/{d}",
        "postgres://{u}:{q}@{h}/{d}",
        " postgresql://{u}:{q}@{h}/{d}\n",
    ),
    *("postgresql+psycopg://{u}:{q}@{h}/{d}", "postgresql+psycopg2://{u}:{q}@{h}/{d}?"),
    *("postgresql://{h}/{d}?user={u}&password={q}", "postgresql://{u}:{q}@/{d}?host={n}&port={o}"),
    *(
        "host={n} port={o} user={u} dbname={d} password={k}",
        "postgresql://{u}:{q}@{h}/{d}?sslmode=prefer",
    ),
]
WRONG = [
    *(
        "mysql://{u}:{q}@{h}/{d}",
        "http://{u}:{q}@{h}/{d}",
        "postgresql:/{u}:{q}@{h}/{d}",
        "{u}:{q}@{h}",
    ),
    *(
        "'postgresql://{u}:{q}@{h}/{d}'",
        '"postgresql://{u}:{q}@{h}/{d}"',
        "postgresql//{u}:{q}@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{n}:port/{d}",
        "postgresql://{u}:{q}@{n}:99999/{d}",
        "postgresql://{u}:{q}@",
    ),
    *(
        "postgresql://{u}:{q}@{n}:-1/{d}",
        "postgresql://{u}:{q}@{n}:0/{d}",
        "postgresql://{u}:{q}@[::1/{d}",
    ),
    *("postgresql://{u}:{q}@{n}:{o}:{o}/{d}", "postgresql://{u}:{q}@{h}/{d}?sslmode=nonsense"),
    *(
        "postgresql://{u}:{q}@{h}/{d}?connect_timeout=abc",
        "postgresql://{u}:{q}@{h}/{d}?options=-c%20x",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?service=nowhere",
        "postgresql://{u}:{q}@{h}/%zz",
        "postgresql://{u}:{q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/nowhere_{d}",
        "postgresql://nobody:{q}@{h}/{d}",
        "host={n} password={p}",
    ),
    *(
        "postgresql://{u}:{q}x@{h}/{d}",
        "postgresql://{u}:{q}@{h}/{d}%00",
        "postgresql://{u}:{q}%00@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}\n?x",
        "host={n} port={o} user={u} dbname={d} password='{p}",
        "password={p}",
    ),
    *("host={n} nonsense=1 password={k}", "postgresql://{u}:{q}@{n}:1/{d}"),
    *("postgresql://{u}:{q}@nowhere.invalid/{d}", "postgresql://{u}:{q}@{h}/{d}?channel_binding=x"),
    *(
        "postgresql://{u}:{q}@{h}/{d}?target_session_attrs=standby",
        "jdbc:postgresql://{h}/{d}?password={q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?sslmode=require",
        "postgresql+nonsense://{u}:{q}@nowhere.invalid/x",
    ),
    *(
        "sqlite:///{q}",
        "postgresql://{u}:{q}@é.invalid/{d}",
        "postgresql://{u}:{q}@{h}/{d}?sslrootcert=/x&sslmode=verify-full",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?password=x{q}",
        "service=nowhere password={k}",
        "postgresql://{u}@{h}/{d}",
    ),
    *(
        "postgresql://{u}:{q}@{n},{n}:1,2/{d}",
        "postgresql://{u}:{q}@{h}/{d}?client_encoding=nonsense",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?passfile=/nowhere&require_auth=none",
        "postgresql://{u}:{q}@{h}/" + "x" * 100_000,
    ),
]
OPEN = [
    *(
        "postgresql://{u}:{p}@{h}/{d}",
        "postgresql://{u}:{q}@{h}/{d}?{p}",
        "postgresql://{u}:{q}@{h}/{d}/{p}",
    ),
    *(
        "postgresql://{u}:{q}@{h}",
        "postgresql://{u}:{+}@{h}/{d}",
        "host={n} port={o} user={u} dbname={d} password={p}",
    ),
    *(
        "{p}",
        "postgresql://{u}:{q}@{h}/{d}?application_name={q}",
        "postgresql://{u}:{q}@{h}/{d}?x={q}",
    ),
    *(
        "postgresql://{u}:{q}@{h}/{d}?options=-csearch_path%3D{q}",
        "postgresql://{u}:{q}@{h}/{d}#{q}",
    ),
    *("postgresql+asyncpg://{u}:{q}@{h}/{d}?ssl={q}"),
    *(
        "dbname='{d}' user=\"{u}\" password={q}",
        "=",
        "host=",
        "://",
        "@",
        "%",
    ),
]


def address(world: World, rng: random.Random) -> Case:
    application = world.application()
    allowed, forms = rng.choice([(frozenset({0, 3}), RIGHT), (REFUSED, WRONG), (ANYTHING, OPEN)])
    commands = [["status"], ["status"], ["plan"], ["drift"], ["status", "--json"]]
    case = a_case(world, rng, "", application, commands, allowed, "behind")
    del case.environ["SUREFOOT_DATABASE_URL_FILE"]
    parts = world.address(case.database, case.role)
    password = parts["password"]
    form = rng.choice(forms)
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    url = form
    for key, value in {
        "{p}": password,
        "{q}": quote(password, safe=""),
        "{+}": quote_plus(password),
        "{k}": f"'{escaped}'",
        "{u}": parts["user"],
        "{h}": f"{parts['host']}:{parts['port']}",
        "{n}": parts["host"],
        "{o}": parts["port"],
        "{d}": parts["dbname"],
    }.items():
        url = url.replace(key, value)
    place = rng.choice(["flag", "flag", "SUREFOOT_DATABASE_URL", "DATABASE_URL", "file", "ini"])
    case.what = f"{place}: {form[:80]}"
    case.user_shows_it = True
    match place:
        case "flag":
            case.arguments = [*case.arguments, "--database-url", url]
        case "file":
            case.user_shows_it = False
            (application.root / "address").write_text(url)
            case.environ["DATABASE_URL_FILE"] = str(application.root / "address")
        case "ini":
            case.user_shows_it = False
            case.environ["PGCONNECT_TIMEOUT"] = "2"
            application.ini("sqlalchemy.url = " + url.replace("%", "%%"))
            case.allowed = allowed if url.startswith("postgresql") and "\n" not in url else ANYTHING
        case _:
            case.environ[place] = url
    if not url.strip() or (place == "flag" and not url):
        case.allowed = ANYTHING
    return case


def parameters(world: World, rng: random.Random) -> Case:
    """PG* and POSTGRES_* variables, files of secrets, a service file."""
    application = world.application()
    commands = [["status"], ["plan"], ["drift"]]
    case = a_case(world, rng, "", application, commands, ANYTHING, "behind")
    del case.environ["SUREFOOT_DATABASE_URL_FILE"]
    parts = world.address(case.database, case.role)
    case.user_shows_it = True
    spoilt = rng.choice([None, None, *parts])
    if spoilt:
        parts[spoilt] = rng.choice(["", "x" * 5000, "\n", "é", "-1", "a b", "'", "a\\b", "%00"])
    kind = rng.choice(["PG", "POSTGRES", "file", "service"])
    case.what = f"{kind}, {spoilt}"
    case.allowed = frozenset({0, 3}) if spoilt is None else ANYTHING
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    if kind == "service":
        case.user_shows_it = False
        lines = "".join(f"{key}={value}\n" for key, value in parts.items())
        content = f"[chaos]\n{lines}".encode()
        if rng.random() < 0.5:
            content, case.what, case.allowed = mutated(content, rng), "service, mutated", ANYTHING
        (application.root / "service.conf").write_bytes(content)
        case.environ |= {
            "PGSERVICE": "chaos",
            "PGSERVICEFILE": str(application.root / "service.conf"),
        }
        if parts["password"] != parts["password"].strip() or "\n" in parts["password"]:
            case.allowed = ANYTHING
        return case
    for key, name in {**names, "dbname": "DATABASE" if kind == "PG" else "DB"}.items():
        if kind == "file" and rng.random() < 0.7:
            file = application.root / f"secret_{key}"
            file.write_text(parts[key] + rng.choice(["", "\n"]))
            case.environ[f"POSTGRES_{name}_FILE"] = str(file)
        else:
            case.environ[f"{'PG' if kind == 'PG' else 'POSTGRES_'}{name}"] = parts[key]
    return case
