"""The trusted authorities are read once, and are those that the environment names."""

import ssl
from pathlib import Path

import certifi
import pytest

from sentinel_core.base.tls import trusted_authorities

ONE = "-----END CERTIFICATE-----"


def test_one_context_serves_all_and_verifies() -> None:
    context = trusted_authorities()
    assert trusted_authorities() is context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs()


def test_the_environment_names_other_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = trusted_authorities()
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(Path(certifi.where()).read_text().partition(ONE)[0] + ONE + "\n")
    with monkeypatch.context() as changed:
        changed.setenv("SSL_CERT_FILE", str(bundle))
        assert len(trusted_authorities().get_ca_certs()) == 1
    assert trusted_authorities() is usual
