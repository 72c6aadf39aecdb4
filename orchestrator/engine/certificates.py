"""Certificates for scheduler, workers and clients. Whoever has one runs code on every worker, as the user there."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.errors import InfraError

_DAYS = 825


@dataclass(frozen=True)
class Certificates:
    """The files by which one side proves who it is, and knows the others: all are of one authority."""

    ca: Path
    cert: Path
    key: Path


def files(folder: Path) -> Certificates:
    """Return the files of certificates in a folder, by the names that ``make`` gives them."""
    return Certificates(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def make(folder: Path) -> Certificates:
    """Write an authority and one certificate of it into a folder that only this user reads.

    The key of the authority is not kept: the folder is all that there will ever be. Raises InfraError.
    """
    made = files(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        authority, ours = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("wpci authority", authority, "wpci authority", authority, is_authority=True)
        cert = _certificate("wpci", ours, "wpci authority", authority, is_authority=False)
        _write(made.ca, ca.public_bytes(serialization.Encoding.PEM))
        _write(made.cert, cert.public_bytes(serialization.Encoding.PEM))
        _write(
            made.key,
            ours.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    except OSError as error:
        raise InfraError(f"cannot write certificates into {folder}: {error.strerror}") from error
    return made


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)
