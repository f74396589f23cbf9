"""A stack's authority issues certificates that tell who somebody is, and is renewed in time."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clients.certificates import Authority, Renewal
from contracts.dask_machines import DaskRole, Verdict
from contracts.errors import AskedWrongly, KeyFileInvalid

BEGIN = datetime(2027, 3, 1, 12, tzinfo=UTC)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass
class Clock:
    """What time it is."""

    at: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Authority:
    made = Authority(tmp_path / "dask-tls", stack="iris", now=clock)
    assert made.renew() is Renewal.MADE
    return made


def read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def text_of(authority: Authority) -> str:
    return authority.client().authority.read_text()


def test_only_its_owner_can_read_what_it_keeps(authority: Authority, tmp_path: Path) -> None:
    authority.client()
    folder = tmp_path / "dask-tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == dict.fromkeys(
        ("ca.pem", "ca-key.pem", "client.pem", "client-key.pem"), 0o600
    )


def test_its_own_certificate_signs_leafs_and_nothing_that_signs(authority: Authority) -> None:
    own = read(text_of(authority))
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert own.not_valid_after_utc - BEGIN == timedelta(days=365)


@pytest.mark.parametrize(
    ("role", "uses"),
    [(DaskRole.SCHEDULER, [SERVER, CLIENT]), (DaskRole.WORKER, [SERVER, CLIENT]), (DaskRole.CLIENT, [CLIENT])],
)
def test_a_certificate_tells_role_and_name_and_what_it_is_good_for(
    authority: Authority, role: DaskRole, uses: list[x509.ObjectIdentifier]
) -> None:
    issued = authority.issue(role, "i-0123")
    shown = read(issued.certificate)
    shown.verify_directly_issued_by(read(issued.authority))
    named = {each.oid: each.value for each in shown.subject}
    assert named == {
        NameOID.ORGANIZATION_NAME: "iris",
        NameOID.ORGANIZATIONAL_UNIT_NAME: role,
        NameOID.COMMON_NAME: "i-0123",
    }
    extensions = shown.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == uses
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert shown.not_valid_after_utc - BEGIN == timedelta(days=30)
    key = load_pem_private_key(issued.key.encode(), None)
    assert key.public_key() == shown.public_key()


def test_a_private_key_is_in_no_representation(authority: Authority) -> None:
    issued = authority.issue(DaskRole.WORKER, "i-1")
    assert "PRIVATE" not in repr(issued)
    assert "PRIVATE" in issued.key


def test_an_authority_is_kept_until_less_than_a_third_of_its_life_is_left(authority: Authority, clock: Clock) -> None:
    before = text_of(authority)
    clock.at = BEGIN + timedelta(days=243)
    assert authority.renew() is Renewal.KEPT
    assert text_of(authority) == before
    clock.at = BEGIN + timedelta(days=244)
    assert authority.renew() is Renewal.REPLACED
    assert text_of(authority) != before
    assert authority.ends_at() == clock.at + timedelta(days=365)


def test_it_is_replaced_whenever_that_is_asked_for(authority: Authority) -> None:
    before = text_of(authority)
    assert authority.renew(rotate=True) is Renewal.REPLACED
    assert text_of(authority) != before


def test_a_certificate_ends_with_its_authority_at_the_latest(authority: Authority, clock: Clock) -> None:
    clock.at = BEGIN + timedelta(days=360)
    assert read(authority.issue(DaskRole.WORKER, "i-1").certificate).not_valid_after_utc == authority.ends_at()


def test_an_authority_that_has_ended_issues_nothing_and_says_what_to_do(authority: Authority, clock: Clock) -> None:
    clock.at = BEGIN + timedelta(days=365)
    with pytest.raises(AskedWrongly, match="ended on 2028-02-29") as caught:
        authority.issue(DaskRole.WORKER, "i-1")
    assert "invoke up --event iris" in caught.value.hint


def test_without_an_authority_nothing_is_issued_and_none_is_made_by_the_way(tmp_path: Path, clock: Clock) -> None:
    none = Authority(tmp_path / "dask-tls", stack="iris", now=clock)
    for ask in (none.client, none.ends_at, lambda: none.issue(DaskRole.WORKER, "i-1")):
        with pytest.raises(AskedWrongly, match="no authority") as caught:
            ask()
        assert "invoke up --event iris" in caught.value.hint
    assert not (tmp_path / "dask-tls").exists()


def test_a_clients_files_are_kept_until_they_are_due(authority: Authority, clock: Clock) -> None:
    before = authority.client().certificate.read_text()
    clock.at = BEGIN + timedelta(days=19)
    assert authority.client().certificate.read_text() == before
    clock.at = BEGIN + timedelta(days=21)
    after = authority.client().certificate.read_text()
    assert after != before
    assert authority.judge(after, DaskRole.CLIENT, "client") is Verdict.CURRENT


def test_a_clients_files_that_do_not_belong_together_are_written_anew(authority: Authority) -> None:
    files = authority.client()
    files.key.write_text(authority.issue(DaskRole.CLIENT, "client").key)
    again = authority.client()
    key = load_pem_private_key(again.key.read_bytes(), None)
    assert key.public_key() == read(again.certificate.read_text()).public_key()


def test_a_client_is_known_to_the_authority_of_today(authority: Authority) -> None:
    authority.client()
    authority.renew(rotate=True)
    files = authority.client()
    read(files.certificate.read_text()).verify_directly_issued_by(read(files.authority.read_text()))


@pytest.mark.parametrize("name", ["ca-key.pem", "client-key.pem"])
def test_a_private_key_that_others_can_read_is_refused(authority: Authority, tmp_path: Path, name: str) -> None:
    authority.client()
    (tmp_path / "dask-tls" / name).chmod(0o640)
    with pytest.raises(KeyFileInvalid, match=f"{name} can be read by others"):
        authority.client()


def test_halves_of_two_authorities_are_none(authority: Authority, tmp_path: Path, clock: Clock) -> None:
    other = Authority(tmp_path / "other", stack="iris", now=clock)
    other.renew()
    (tmp_path / "other" / "ca-key.pem").replace(tmp_path / "dask-tls" / "ca-key.pem")
    with pytest.raises(AskedWrongly, match="no authority"):
        authority.ends_at()
    assert authority.renew() is Renewal.MADE


def test_what_it_issued_is_current_for_the_one_it_was_issued_to(authority: Authority) -> None:
    shown = authority.issue(DaskRole.WORKER, "i-1").certificate
    assert authority.judge(shown, DaskRole.WORKER, "i-1") is Verdict.CURRENT
    assert authority.judge(shown, DaskRole.WORKER, "i-2") is Verdict.OUTDATED
    assert authority.judge(shown, DaskRole.SCHEDULER, "i-1") is Verdict.OUTDATED


def test_a_certificate_near_its_end_is_outdated(authority: Authority, clock: Clock) -> None:
    shown = authority.issue(DaskRole.WORKER, "i-1").certificate
    clock.at = BEGIN + timedelta(days=21)
    assert authority.judge(shown, DaskRole.WORKER, "i-1") is Verdict.OUTDATED


@pytest.mark.parametrize(
    "text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ä"]
)
def test_whatever_is_no_certificate_is_outdated(authority: Authority, text: str) -> None:
    assert authority.judge(text, DaskRole.WORKER, "i-1") is Verdict.OUTDATED


def test_an_older_authoritys_is_outdated_and_a_newer_ones_is_not_ours_to_replace(
    authority: Authority, tmp_path: Path, clock: Clock
) -> None:
    older = authority.issue(DaskRole.WORKER, "i-1").certificate
    clock.at += timedelta(seconds=1)
    other = Authority(tmp_path / "other", stack="iris", now=clock)
    other.renew()
    newer = other.issue(DaskRole.WORKER, "i-1").certificate
    assert other.judge(older, DaskRole.WORKER, "i-1") is Verdict.OUTDATED
    assert authority.judge(newer, DaskRole.WORKER, "i-1") is Verdict.NEWER


def test_another_stacks_authority_is_never_newer(authority: Authority, tmp_path: Path, clock: Clock) -> None:
    clock.at += timedelta(seconds=1)
    other = Authority(tmp_path / "other", stack="titanic", now=clock)
    other.renew()
    shown = other.issue(DaskRole.WORKER, "i-1").certificate
    assert authority.judge(shown, DaskRole.WORKER, "i-1") is Verdict.OUTDATED


def test_it_is_forgotten_with_its_folder(authority: Authority, tmp_path: Path) -> None:
    authority.remove()
    authority.remove()
    assert not (tmp_path / "dask-tls").exists()
