"""surefoot.toml: every mistake is told once, with file, line, key, value and the way out."""

import os
from pathlib import Path

import pytest

from surefoot.errors import SurefootError
from surefoot.project.config import Config, ScriptEntry, load, nearest, seconds


def test_defaults_where_there_is_no_file(tmp_path: Path) -> None:
    assert load(None, tmp_path).config == Config()


def test_the_nearest_file_wins(tmp_path: Path) -> None:
    """surefoot.toml before pyproject.toml; a pyproject.toml without our table is none of ours."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert load(None, tmp_path).file is None
    (tmp_path / "pyproject.toml").write_text('[tool.surefoot]\nalembic = "a.ini"\n')
    assert load(None, tmp_path).config.alembic == "a.ini"
    (tmp_path / "surefoot.toml").write_text('alembic = "b.ini"\n')
    assert load(None, tmp_path).config.alembic == "b.ini"


def test_scripts_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "surefoot.toml").write_text(
        'search_path = "app"\ninit = ["a.sql", { path = "b.sql", search_path = "public" }]\n'
    )
    config = load(None, tmp_path).config
    assert config.scripts(config.init) == [
        ScriptEntry("a.sql", "app"),
        ScriptEntry("b.sql", "public"),
    ]


def test_former_scripts(tmp_path: Path) -> None:
    """Each entry is one release's: a script, or several that were run together."""
    (tmp_path / "surefoot.toml").write_text(
        'search_path = "app"\ninit = ["a.sql"]\n'
        'former_init = ["v1.sql", ["b.sql", { path = "c.sql", search_path = "public" }]]\n'
    )
    assert load(None, tmp_path).config.former() == [
        [ScriptEntry("v1.sql", "app")],
        [ScriptEntry("b.sql", "app"), ScriptEntry("c.sql", "public")],
    ]


@pytest.mark.provokes("config-invalid")
@pytest.mark.parametrize(
    ("text", "message", "seen"),
    [
        ("\nalembik = 'x'\n", "surefoot.toml:2: there is no key alembik.", "alembic"),
        ("zzzzzzz = 1\n", "surefoot.toml:1: there is no key zzzzzzz.", None),
        ("init_revision = 5\n", "surefoot.toml:1: init_revision can't be 5.", "expected str"),
        (
            '[url_variables]\nDB_SERVER = "hots"\n',
            "surefoot.toml:2: url_variables.DB_SERVER can't be 'hots'.",
            "one of host, port",
        ),
        ("init = 'a.sql'\n", "init can't be 'a.sql'.", "expected a list, as in init"),
        (
            "former_init = 'a.sql'\n",
            "former_init can't be 'a.sql'.",
            "expected a list, as in former",
        ),
        ("init = ['a']\nformer_init = [[]]\n", "toml:2: former_init[0] can't be []", "length"),
        ("former_init = ['a']\n", "surefoot.toml:1: former_init needs init.", "stand for"),
        ("wait = 3\n", "wait can't be 3.", 'a duration like "90s"'),
        ("database_url = 'x'\n", "there is no key database_url", "doesn't belong in this file"),
        ("seeds = [1]\n", "seeds[0] can't be 1.", "got int"),
        ("init = [{ paht = 'x' }]\n", "surefoot.toml:1: init[0]", "path"),
        ("wait = 'soon'\n", "surefoot.toml:1: wait can't be 'soon'.", '"90s"'),
        ("[url_variables]\nX = 1\n", "url_variables", "got int"),
        ("wait = '1m'\n", "wait can't be '1m'.", "the units are ms, s, min and h"),
        ("backup = 'yes'\n", "backup can't be 'yes'.", 'one of "off", "before-upgrade"'),
        ("ahead = true\n", "ahead can't be True.", 'one of "run-if-compatible", "refuse"'),
        ("[tool.surefoot]\nwait = '1s'\n", "toml:1: there is no table", "have no table"),
        ("alembic = \n", "can't be read as TOML", "line 1"),
        ("a = 'b'\nalembic 'x'\n", "can't be read as TOML", "line 2"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str, seen: str | None) -> None:
    (tmp_path / "surefoot.toml").write_text(text)
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path)
    finding = raised.value.finding
    assert finding.code == "config-invalid"
    assert message in finding.message
    assert seen is None or seen in " ".join(finding.seen)
    assert finding.next


def test_a_mistake_in_pyproject_names_the_whole_key(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.surefoot]\nsedes = []\n")
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path)
    assert "pyproject.toml:2: there is no key tool.surefoot.sedes." in raised.value.finding.message
    assert "the nearest valid key is seeds" in raised.value.finding.seen


def test_binary_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "surefoot.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path)
    assert raised.value.finding.code == "config-invalid"


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, as a container engine makes one; a loop; a pipe: never as if there were none."""
    file = tmp_path / "surefoot.toml"
    file.mkdir()
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path)
    assert raised.value.finding.message == "surefoot.toml is a directory."
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(SurefootError, match="can't be read as TOML"):
        load(None, tmp_path)
    file.unlink()
    file.symlink_to("surefoot.toml")
    with pytest.raises(SurefootError, match="can't be read as TOML"):
        load(None, tmp_path)


@pytest.mark.parametrize("text", [f"a = {'[' * 9999}{']' * 9999}", f"a = {'9' * 9999}"])
def test_what_is_more_than_a_parser_can_bear(text: str, tmp_path: Path) -> None:
    (tmp_path / "surefoot.toml").write_text(text)
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path)
    assert raised.value.finding.code == "config-invalid"


@pytest.mark.provokes("config-not-found")
def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SurefootError) as raised:
        load(tmp_path / "other.toml", tmp_path)
    assert raised.value.finding.code == "config-not-found"


@pytest.mark.parametrize(
    ("text", "length"), [("250ms", 0.25), ("90s", 90), ("1.5 min", 90), ("2h", 7200)]
)
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == pytest.approx(length)


def test_the_environment_counts_before_the_file(tmp_path: Path) -> None:
    """Each value knows where it comes from; an empty variable counts as unset."""
    (tmp_path / "surefoot.toml").write_text('wait = "1s"\nlock_retries = 3\nheads = 2\n')
    given = {
        "SUREFOOT_WAIT": "5min",
        "SUREFOOT_LOCK_RETRIES": "4",
        "SUREFOOT_CATALOG_REQUIRED": "true",
        "SUREFOOT_HEADS": "",
        "SUREFOOT_STATEMENT_TIMEOUT": "2s",
        "SUREFOOT_DATABASE_URL": "postgresql://x/y",
        "SUREFOOT_APPROVE": "adopt-1",
        "SUREFOOT_DB_SERVICE_HOST": "10.0.0.1",
    }
    project = load(None, tmp_path, given)
    config = project.config
    assert (config.wait, config.lock_retries, config.heads) == ("5min", 4, 2)
    assert (config.catalog_required, config.statement_timeout) == (True, "2s")
    assert {key: source for key, _, source in project.settings} == {
        "wait": "SUREFOOT_WAIT",
        "lock_retries": "SUREFOOT_LOCK_RETRIES",
        "catalog_required": "SUREFOOT_CATALOG_REQUIRED",
        "heads": "surefoot.toml",
        "statement_timeout": "SUREFOOT_STATEMENT_TIMEOUT",
    }
    assert project.strange == ()


def test_every_scalar_key_can_be_given_in_the_environment(tmp_path: Path) -> None:
    texts = {int: "7", bool: "true", "ambiguous": "latest", "ahead": "refuse"}
    texts |= {"row_security": "apply", "backup": "before-upgrade", "backup_keep_days": "7"}
    texts |= {"destructive": "refuse", "serve_failed": "stay"}
    durations = dict.fromkeys(("wait", "lock_wait", "lock_timeout", "statement_timeout"), "3s")
    for key in Config.__struct_fields__:
        default = getattr(Config(), key)
        if isinstance(default, list | dict) or key == "tenants":
            continue
        text = {**texts, **durations}.get(key) or texts.get(type(default), "a text")
        config = load(None, tmp_path, {f"SUREFOOT_{key.upper()}": str(text)}).config
        assert getattr(config, key) != default, key


@pytest.mark.parametrize(
    ("variable", "value", "seen"),
    [
        ("SUREFOOT_WAIT", "soon", '"90s"'),
        ("SUREFOOT_HEADS", "0", "int >= 1"),
        ("SUREFOOT_CATALOG_REQUIRED", "perhaps", "true or false"),
        ("SUREFOOT_AHEAD", "run", "run-if-compatible, refuse"),
        ("SUREFOOT_INIT", "a.sql", "written in the configuration's file"),
    ],
)
def test_a_wrong_value_in_the_environment(
    tmp_path: Path, variable: str, value: str, seen: str
) -> None:
    with pytest.raises(SurefootError) as raised:
        load(None, tmp_path, {variable: value})
    finding = raised.value.finding
    assert finding.code == "config-invalid"
    assert finding.message.startswith(f"{variable} can't be")
    assert any(seen in line for line in finding.seen)
    assert variable in finding.next


def test_a_mistyped_variable(tmp_path: Path) -> None:
    given = {"SUREFOOT_VERSION_TABEL": "x", "SUREFOOT_TEST_STARTS": "real"}
    assert load(None, tmp_path, given).strange == ("SUREFOOT_VERSION_TABEL",)
    assert nearest("SUREFOOT_VERSION_TABEL") == "SUREFOOT_VERSION_TABLE"


def test_an_empty_address_that_is_passed_over_is_named() -> None:
    """Compose sets a variable that isn't given to the empty text."""
    from surefoot.project.locate import locate

    found = locate(None, {"DATABASE_URL": "", "PGHOST": "db"}, None)
    assert found is not None
    assert found.source == "PG* variables; DATABASE_URL is empty"
    named = locate(None, {"SUREFOOT_DATABASE_URL": "", "DATABASE_URL": "postgresql://db/x"}, None)
    assert named is not None
    assert named.source == "DATABASE_URL"
