"""Stored secrets: sealed for one purpose, with keys that lie elsewhere and can be changed; and nothing of them in the log."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from app.errors import ConfigurationError
from app.settings import load_settings
from app.transport.vault import KEPT_IN_DATA, Vault, name_of, new_key
from tests.support.service import PASSWORD, Service


def made(folder: Path, given: str = "") -> Vault:
    return Vault(folder / "config" / "master.key", folder / "data", given)


def test_secrets_are_sealed_for_one_purpose(tmp_path: Path) -> None:
    vault = made(tmp_path)
    sealed = vault.seal(b"key", "ssh:1")
    assert "key" not in sealed
    assert made(tmp_path).open(sealed, "ssh:1") == b"key"
    with pytest.raises(ConfigurationError, match="cannot be decrypted"):
        vault.open(sealed, "ssh:2")


def test_the_key_lies_outside_of_the_data_folder(tmp_path: Path) -> None:
    vault = made(tmp_path)
    vault.seal(b"key", "ssh:1")
    assert vault.file.stat().st_mode & 0o777 == 0o600 and not vault.lies_in_data
    key = vault.file.read_bytes().strip()
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or key not in path.read_bytes()
    vault.file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="read by others") as caught:
        vault.seal(b"x", "y")
    assert f"chmod 600 {vault.file}" in caught.value.hint


def test_a_key_of_earlier_versions_is_used_where_it_lies(tmp_path: Path) -> None:
    old = tmp_path / "data" / KEPT_IN_DATA
    old.parent.mkdir(parents=True, mode=0o700)
    old.write_bytes(Fernet.generate_key())
    old.chmod(0o600)
    vault = made(tmp_path)
    sealed = vault.seal(b"key", "ssh:1")
    assert vault.source == old and vault.lies_in_data and not vault.file.exists()
    # Moved, as doctor says: nothing else is needed.
    vault.file.parent.mkdir()
    old.rename(vault.file)
    assert made(tmp_path).open(sealed, "ssh:1") == b"key" and not vault.lies_in_data


def test_no_second_key_is_made_for_a_data_folder(tmp_path: Path) -> None:
    vault = made(tmp_path)
    vault.seal(b"key", "ssh:1")
    name = name_of(vault.file.read_bytes().strip())
    elsewhere = Vault(tmp_path / "home of root" / "master.key", tmp_path / "data")
    with pytest.raises(ConfigurationError, match=name) as caught:
        elsewhere.seal(b"other", "ssh:2")
    assert "as the account that made it" in caught.value.hint and not elsewhere.file.exists()


def test_keys_from_the_environment(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    sealed = made(tmp_path, old).seal(b"key", "ssh:1")
    both = made(tmp_path, f"{new},{old}")
    assert both.open(sealed, "ssh:1") == b"key" and both.source is None
    again = both.reseal(sealed)
    assert made(tmp_path, new).open(again, "ssh:1") == b"key"
    with pytest.raises(ConfigurationError, match="cannot be decrypted"):
        made(tmp_path, new).open(sealed, "ssh:1")
    with pytest.raises(ConfigurationError, match="does not hold master keys") as caught:
        made(tmp_path, f"{new},no-key-at-all").seal(b"x", "y")
    assert new not in caught.value.sentence and "no-key-at-all" not in caught.value.sentence
    with pytest.raises(ConfigurationError, match="CRYSTALDECK_MASTER_KEY"):
        both.replace_keys([b"x"])
    assert not both.file.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        made(tmp_path).seal(b"x", "y")
    assert "CRYSTALDECK_MASTER_KEY_FILE" in caught.value.hint


def test_a_credential_of_systemd_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ACL shows as rights of the group; elsewhere these are refused."""
    vault = made(tmp_path)
    vault.seal(b"x", "y")
    vault.file.chmod(0o440)
    with pytest.raises(ConfigurationError, match="read by others"):
        vault.keys()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(vault.file.parent))
    assert len(vault.keys()) == 1
    vault.file.chmod(0o444)
    with pytest.raises(ConfigurationError, match="read by others"):
        vault.keys()


def test_no_secret_is_in_the_log(tmp_path: Path) -> None:
    """A walk over all that takes or gives one, with the log as talkative as it gets."""
    service = Service(
        tmp_path, "log_level = 'debug'\n[clusters.far]\nrunner_type = 'ssh'\nhostname = '127.0.0.1'\nport = 1\n"
    )
    token = service.add_user()
    sealed = "gAAAA"  # how each sealed secret begins
    try:
        service.start()
        secrets = {
            "password": PASSWORD,
            "token": token,
            "hash": "$argon2",
            "sealed key": sealed,
            "private key": "PRIVATE KEY",
        }
        wrong = {"wrong password": "not-her-password-at-all", "wrong token": "cdk_somebody-guessed-this"}
        with httpx.Client(base_url=service.url, timeout=30) as browser:
            for password in (wrong["wrong password"], PASSWORD):
                browser.post("/login", data={"name": "ada", "password": password})
            secrets |= {"session": browser.cookies["crystaldeck"], "device": browser.cookies["crystaldeck-device"]}
            assert browser.post("/clusters/far/key", data={"username": "ada"}).status_code == 303
            assert browser.post("/clusters/far/test").status_code == 303
            link = service.command("setup-link").stdout.strip()
            secrets["link"] = link.rpartition("/")[2]
            assert browser.get(link).status_code == 200
            assert browser.post(link, data={"name": "bob", "password": "short"}).status_code == 422
            assert browser.get(link.replace("/setup/", "/nowhere/")).status_code in (303, 404)
            assert (
                browser.get("/api/v1/jobs", headers={"authorization": f"Bearer {wrong['wrong token']}"}).status_code
                == 401
            )
            assert browser.post("/login", content=b"name=ada&password=" + PASSWORD.encode() * 30).status_code == 422
            browser.post("/logout")
        assert service.client.get("/jobs").status_code == 200
        key = next(path for path in tmp_path.rglob("master.key")).read_text().strip()
        secrets["master key"] = key
    finally:
        service.stop()
    log = service.log.read_text()
    assert "CrystalDeck on" in log and "DEBUG" in log
    found = {name for name, secret in (secrets | wrong).items() if secret in log}
    assert found == set()


def test_the_service_keeps_to_the_place_of_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it runs, its environment no longer says where the configuration lies."""
    monkeypatch.setenv("CRYSTALDECK_CONFIG", str(tmp_path / "config.toml"))
    settings = load_settings()
    monkeypatch.delenv("CRYSTALDECK_CONFIG")
    assert settings.key_file == tmp_path / "master.key"
