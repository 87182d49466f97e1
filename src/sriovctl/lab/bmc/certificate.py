"""A BMC's own TLS certificate, signed by itself, as an iDRAC makes one at its first start."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_BITS = 2048
_VALID = timedelta(days=3650)


@dataclass(frozen=True)
class Certificate:
    """Certificate and key, PEM."""

    certificate: bytes
    key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, 64 hex digits: what a client pins."""
        loaded = x509.load_pem_x509_certificate(self.certificate)
        return loaded.fingerprint(hashes.SHA256()).hex()

    def load(self, context: ssl.SSLContext) -> None:
        """Make a server's context answer with it, from the next handshake on."""
        # OpenSSL takes a chain from files only
        with TemporaryDirectory() as folder:
            both = Path(folder) / "both.pem"
            both.touch(mode=0o600)
            both.write_bytes(self.certificate + self.key)
            context.load_cert_chain(both)


def self_signed(tag: str, now: datetime, names: tuple[str, ...] = ()) -> Certificate:
    """A new certificate.

    :param tag: service tag; the subject is ``idrac-<tag>``
    :param now: it is valid from a day before
    :param names: host names and addresses that it is made out to. An iDRAC's own has none that a
        client could check, so none is the default: such a certificate can only be pinned.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sriovctl lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"idrac-{tag}"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return Certificate(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
