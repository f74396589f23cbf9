"""Keep the certificate authority of a stack's Dask cluster, and issue what its machines and clients show."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from contracts.dask import TlsFiles
from contracts.dask_machines import Certificates, DaskRole, Verdict
from contracts.errors import AskedWrongly, KeyFileInvalid

AUTHORITY_LIFE = timedelta(days=365)
LEAF_LIFE = timedelta(days=30)
_SKEW = timedelta(minutes=5)
"""A machine whose clock is behind ours by less takes a certificate at once."""

_BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_USES = {
    DaskRole.SCHEDULER: _BOTH,
    DaskRole.WORKER: _BOTH,  # it is called by the scheduler and other workers, and calls them
    DaskRole.CLIENT: (ExtendedKeyUsageOID.CLIENT_AUTH,),
}


class Renewal(StrEnum):
    """What `renew` did."""

    KEPT = "kept"
    MADE = "made"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """One stack's authority, in a folder that only its owner may enter.

    The folder holds `ca.pem`, `ca-key.pem`, `client.pem` and `client-key.pem`, and is read anew each time: another
    process may have replaced the authority. `stack` is the name it goes by, of at most 64 letters.

    Everything but `remove` raises KeyFileInvalid where others can read a private key; what needs an authority raises
    AskedWrongly where there is none, or it has ended.
    """

    def __init__(self, folder: Path, *, stack: str, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._stack = stack
        self._now = now

    def renew(self, *, rotate: bool = False) -> Renewal:
        """Make an authority where there is none, or in place of one that has less than a third of its life left.

        With `rotate` in any case. What the former one has issued is worth nothing afterwards.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        with self._locked():
            former = self._found()
            if former is not None and not rotate and self._is_fresh(former.certificate):
                return Renewal.KEPT
            key = ec.generate_private_key(ec.SECP256R1())
            self._write("ca-key.pem", _private_pem(key))
            self._write("ca.pem", _pem(self._self_signed(key)))
            return Renewal.MADE if former is None else Renewal.REPLACED

    def ends_at(self) -> datetime:
        """When the authority ends."""
        return self._pair().certificate.not_valid_after_utc

    def issue(self, role: DaskRole, name: str) -> Certificates:
        """Issue a certificate for somebody of at most 64 letters, for 30 days at most."""
        return self._issued(self._pair(), role, name)

    def client(self) -> TlsFiles:
        """Give the files of a client, issued anew where they are due."""
        files = TlsFiles(*(self._folder / name for name in ("ca.pem", "client.pem", "client-key.pem")))
        pair = self._pair()
        with self._locked():
            if not self._is_usable(files):
                issued = self._issued(pair, DaskRole.CLIENT, DaskRole.CLIENT)
                self._write(files.key.name, issued.key)
                self._write(files.certificate.name, issued.certificate)
        return files

    def judge(self, certificate: str, role: DaskRole, name: str) -> Verdict:
        """Say what a certificate in PEM is, which may be any text."""
        authority = self._pair().certificate
        try:
            shown = x509.load_pem_x509_certificate(certificate.encode())
            shown.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return Verdict.NEWER if self._is_newer(certificate, authority) else Verdict.OUTDATED
        is_current = shown.subject == self._name(role, name) and self._is_fresh(shown)
        return Verdict.CURRENT if is_current else Verdict.OUTDATED

    def remove(self) -> None:
        """Forget the authority; doing it twice is fine."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pair(self) -> _Pair:
        pair = self._found()
        if pair is None:
            hint = (
                f"invoke up --event {self._stack} makes one; where up was run on another machine, copy {self._folder} "
                "from there"
            )
            raise AskedWrongly(f"there is no authority for the certificates of {self._stack}'s Dask cluster", hint=hint)
        end = pair.certificate.not_valid_after_utc
        if end <= self._now():
            hint = f"invoke up --event {self._stack} makes another"
            raise AskedWrongly(f"the authority of {self._stack}'s Dask cluster ended on {end:%Y-%m-%d}", hint=hint)
        return pair

    def _found(self) -> _Pair | None:
        """The authority; None where there is none, or its two files do not belong together."""
        certificate, key = self._folder / "ca.pem", self._folder / "ca-key.pem"
        if not (certificate.is_file() and key.is_file()):
            return None
        _check_private(key)
        return _read(certificate, key)

    def _is_usable(self, files: TlsFiles) -> bool:
        if not (files.certificate.is_file() and files.key.is_file()) or _read(files.certificate, files.key) is None:
            return False
        _check_private(files.key)
        verdict = self.judge(files.certificate.read_text("ascii"), DaskRole.CLIENT, DaskRole.CLIENT)
        return verdict is Verdict.CURRENT

    def _is_fresh(self, certificate: x509.Certificate) -> bool:
        """Whether a third of its life is left."""
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return end - self._now() >= (end - begin) / 3

    def _is_newer(self, certificate: str, authority: x509.Certificate) -> bool:
        try:
            issuer = x509.load_pem_x509_certificate(certificate.encode()).issuer
        except ValueError:
            return False
        is_of_stack = _said(issuer, NameOID.ORGANIZATION_NAME) == self._stack
        return is_of_stack and _said(issuer, NameOID.SERIAL_NUMBER) > _said(authority.subject, NameOID.SERIAL_NUMBER)

    def _issued(self, authority: _Pair, role: DaskRole, name: str) -> Certificates:
        key = ec.generate_private_key(ec.SECP256R1())
        end = min(self._now() + LEAF_LIFE, authority.certificate.not_valid_after_utc)
        certificate = (
            self._begun(self._name(role, name), authority.certificate.subject, key.public_key(), end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_USES[role]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
            )
            .sign(authority.key, hashes.SHA256())
        )
        return Certificates(_pem(authority.certificate), _pem(certificate), _private_pem(key))

    def _self_signed(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        name = self._name("authority", "Dask cluster", made_at=f"{self._now().astimezone(UTC):%Y%m%dT%H%M%S.%fZ}")
        return (
            self._begun(name, name, key.public_key(), self._now() + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now() - _SKEW)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _name(self, unit: str, name: str, *, made_at: str = "") -> x509.Name:
        """Name somebody of the stack; `made_at` tells its authorities apart, and which is the newer one."""
        parts = {
            NameOID.ORGANIZATION_NAME: self._stack,
            NameOID.ORGANIZATIONAL_UNIT_NAME: unit,
            NameOID.COMMON_NAME: name,
            NameOID.SERIAL_NUMBER: made_at,
        }
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts.items() if text])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, name: str, text: str) -> None:
        """Write a file in one step, for its owner alone; it is on the disk when this returns."""
        descriptor, draft = tempfile.mkstemp(prefix=f".{name}.", dir=self._folder)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            Path(draft).replace(self._folder / name)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


def _check_private(key: Path) -> None:
    """Refuse a private key that others can read: the folder may have been copied from another machine."""
    if key.stat().st_mode & 0o077:
        raise KeyFileInvalid(f"the key file {key} can be read by others", hint=f"chmod 600 {key}")


def _read(certificate: Path, key: Path) -> _Pair | None:
    """Read a certificate with its private key; None where they are not both, or not of one another."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or _public(private.public_key()) != _public(
        found.public_key()
    ):
        return None
    return _Pair(found, private)


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _said(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(kind)
    return str(found[0].value) if len(found) == 1 else ""


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
