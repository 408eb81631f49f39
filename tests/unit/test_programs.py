"""How PostgreSQL's programs are called: what others can see of it."""

import os

import pytest

from surefoot.errors import SurefootError
from surefoot.model.target import Target
from surefoot.postgres.programs import called

# what this machine's libpq may be too old to know isn't tried here
SECRET = {"sslpassword": "of the key", "password": "the word"}


def test_no_secret_is_in_what_others_can_see() -> None:
    """Each is in a file of its own kind, in memory."""
    target = Target({"host": "db", "user": "app", **SECRET}, "DATABASE_URL")
    with called(target, application_name="x") as call:
        texts = [os.pread(file, 4096, 0).decode() for file in call.pass_fds]
    assert texts == ["*:*:*:*:the word\n", "[surefoot]\nsslpassword=of the key\n"]
    assert call.conninfo == "host=db user=app application_name=x service=surefoot"
    for secret in SECRET.values():
        assert secret not in str(call.environment)


@pytest.mark.parametrize("name", ["oauth_client_secret", "scram_client_key", "scram_server_key"])
def test_every_secret_of_libpq_is_one(name: str) -> None:
    with called(Target({"host": "db", name: "the word"}, "DATABASE_URL")) as call:
        (file,) = call.pass_fds
        assert os.pread(file, 4096, 0).decode() == f"[surefoot]\n{name}=the word\n"
    assert call.conninfo == "host=db service=surefoot"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"service": "shop"}, "names a service"),
        ({"sslpassword": "a\nb"}, "can't be handed over"),
        ({"sslpassword": "a "}, "can't be handed over"),
        ({"sslpassword": "a" * 1000}, "can't be handed over"),
    ],
)
def test_what_cannot_be_handed_over_is_refused(more: dict[str, str], said: str) -> None:
    target = Target({"host": "db", "sslpassword": "of the key", **more}, "DATABASE_URL")
    with pytest.raises(SurefootError) as caught, called(target):
        pass
    finding = caught.value.finding
    assert finding.code == "database-url-invalid"
    assert said in finding.seen[0]
    assert "of the key" not in str(finding)
