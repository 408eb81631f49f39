"""What a server needs for TLS: certificates, made by openssl, and programs that support it.

The embedded server is built without OpenSSL and without translations. A system's server, if there
is one, has both.
"""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from surefoot.postgres.embedded.account import own, unprivileged_user
from tests.support.servers import reachable_directory

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def system_bin() -> Path:
    """Return the programs of the system's newest PostgreSQL; skips if there is none."""
    named = os.environ.get("SUREFOOT_TEST_TLS_POSTGRES")
    found = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [path for path in found if (path / "postgres").exists() and (path / "initdb").exists()]
    if not found:
        pytest.skip("no PostgreSQL of the system: the embedded one has neither TLS nor languages")
    return found[-1]


class Certificates:
    """An authority and its certificates, in a directory that the server's user can read."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl on this machine")
        self.directory = directory
        self._openssl(
            *("req", "-x509", *_KEY, "-subj", "/CN=authority"),
            *("-days", "30", "-keyout", self.file("ca.key"), "-out", self.file("ca.crt")),
        )

    def file(self, name: str) -> str:
        return str(self.directory / name)

    def signed(self, name: str, common_name: str, days: int = 30) -> tuple[str, str]:
        """Return a certificate and its key; a server's is for the host `common_name`."""
        key, request, certificate = (self.file(f"{name}.{end}") for end in ("key", "csr", "crt"))
        self._openssl(
            *("req", *_KEY, "-subj", f"/CN={common_name}"),
            *("-keyout", key, "-out", request),
        )
        names = f"subjectAltName=DNS:{common_name}"
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(names)
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", self.file("ca.crt")),
            *("-CAkey", self.file("ca.key"), "-CAcreateserial", "-extfile", str(extensions)),
            *("-days", str(days), "-out", certificate),
        )
        Path(key).chmod(0o600)
        return certificate, key

    def for_server(self, name: str, common_name: str) -> dict[str, str]:
        """Return the same as the server's settings, for its own user."""
        certificate, key = self.signed(name, common_name)
        own(Path(key), unprivileged_user())
        return {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}

    def expire(self, name: str, certificate: Path) -> None:
        """Replace a certificate with an expired one for the same key."""
        (self.directory / "index.txt").write_text("")
        (self.directory / "serial").write_text("77\n")
        (self.directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca = a\n[a]\n"
            f"database = {self.file('index.txt')}\nserial = {self.file('serial')}\n"
            f"new_certs_dir = {self.directory}\ndefault_md = sha256\npolicy = p\n"
            "[p]\ncommonName = supplied\n"
        )
        self._openssl(
            *("ca", "-batch", "-config", self.file("ca.cnf"), "-in", self.file(f"{name}.csr")),
            *("-cert", self.file("ca.crt"), "-keyfile", self.file("ca.key")),
            *("-startdate", "20200101000000Z", "-enddate", "20210101000000Z"),
            *("-out", str(certificate)),
        )

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@contextmanager
def certificates() -> Generator[Certificates]:
    """Return certificates in their own directory."""
    with reachable_directory() as directory:
        directory.chmod(0o755)
        yield Certificates(directory)
