"""Making of certificate authorities and of the certificates that they sign, and the check of those that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Union

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telegen.adapter.certificates.document import Pair

BACKDATE = timedelta(hours=1)
"""Time before its making from which a certificate is valid: clocks of nodes may be behind."""
RENEWED_AT = 2 / 3
"""Share of its lifetime at which a certificate is renewed."""


OwnKey = Union[ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]
Key = Union[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey]


class InvalidPair(ValueError):
    """A certificate or key that cannot be used; the message has the reason and nothing of the key."""


@dataclass(frozen=True)
class Leaf:
    """A certificate to be signed.

    Attributes:
        names: DNS names, the common name first.
        client: True for the certificate of a client, False for that of a server.
        of_agents: its key is Ed25519, as no client but the adapter verifies it. PERF: 2 kB less per connection of the adapter.
    """

    names: Sequence[str]
    client: bool = False
    of_agents: bool = False


def make_authority(name: str, now: float, lifetime: float) -> Pair:
    """Make a CA that signs leaves only.

    Args:
        name: beginning of its common name, which is unique.
        now: time in Unix seconds.
        lifetime: in seconds from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Verifiers find the issuer by its name: two CAs with one name would depend on further extensions.
    subject = _name(f"{name}-{serial:x}"[:60])
    builder = _builder(subject, subject, serial, key, now, time_of(now) + timedelta(seconds=lifetime))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def sign(authority: Pair, leaf: Leaf, now: float, lifetime: float) -> Pair:
    """Make a certificate. It ends with its authority at the latest.

    Raises:
        InvalidPair: the authority cannot be used.
    """
    issuer, issuer_key = read_certificate(authority.certificate), _read_key(authority.key)
    key = ed25519.Ed25519PrivateKey.generate() if leaf.of_agents else ec.generate_private_key(ec.SECP256R1())
    end = min(time_of(now) + timedelta(seconds=lifetime), issuer.not_valid_after_utc)
    builder = _builder(_name(leaf.names[0]), issuer.subject, x509.random_serial_number(), key, now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if leaf.client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in leaf.names])
    builder = builder.add_extension(names, critical=False)
    issuer_public = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return _pair(builder.add_extension(issuer_public, critical=False).sign(issuer_key, digest), key)


def read_certificate(pem: str) -> x509.Certificate:
    """Read the first certificate of a text.

    Raises:
        InvalidPair
    """
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise InvalidPair("it is no certificate in PEM") from None


def is_valid(pem: str, now: float) -> bool:
    """Return True if a certificate can be read and is valid at a time."""
    try:
        certificate = read_certificate(pem)
    except InvalidPair:
        return False
    return certificate.not_valid_before_utc <= time_of(now) < certificate.not_valid_after_utc


def is_due(pem: str, now: float) -> bool:
    """Return True if so much of a certificate's lifetime is over that it has to be renewed."""
    certificate = read_certificate(pem)
    end = certificate.not_valid_after_utc
    made = min(certificate.not_valid_before_utc + BACKDATE, end)
    return time_of(now) >= made + (end - made) * RENEWED_AT


def end_of(pem: str) -> float:
    """Return the end of a certificate in Unix seconds."""
    return read_certificate(pem).not_valid_after_utc.timestamp()


def age(pem: str, now: float) -> float:
    """Return the seconds since a certificate was made by this module."""
    return now - (read_certificate(pem).not_valid_before_utc + BACKDATE).timestamp()


def authority_problem(pair: Pair) -> str:
    """Return the reason why a pair cannot sign certificates, "" if it can."""
    try:
        certificate = _matching(pair)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except InvalidPair as error:
        return str(error)
    except (x509.ExtensionNotFound, ValueError):
        return "it is no CA"
    return "" if constraints.ca else "it is no CA"


def leaf_problem(pair: Pair, authority: str, leaf: Leaf, now: float) -> str:
    """Return the reason why a certificate has to be made anew, "" if it has not.

    Args:
        authority: PEM of the CA that has to have signed it.
    """
    try:
        certificate = _matching(pair)
        certificate.verify_directly_issued_by(read_certificate(authority))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except InvalidPair as error:
        return str(error)
    except (InvalidSignature, TypeError, ValueError, x509.ExtensionNotFound):
        return "another CA has signed it"
    if list(names) != list(leaf.names):
        return "it has other names"
    if not is_valid(pair.certificate, now):
        return "it is not valid now"
    return "it ends soon" if is_due(pair.certificate, now) else ""


def pair_problem(pair: Pair, now: float) -> str:
    """Return the reason why a certificate of the user cannot be served, "" if it can."""
    try:
        _matching(pair)
    except InvalidPair as error:
        return str(error)
    return "" if is_valid(pair.certificate, now) else "the certificate is not valid now"


def time_of(now: float) -> datetime:
    """Return Unix seconds as a time, in whole seconds as certificates have them."""
    return datetime.fromtimestamp(int(now), timezone.utc)


def _matching(pair: Pair) -> x509.Certificate:
    """Return the certificate of a pair whose key belongs to it."""
    certificate, key = read_certificate(pair.certificate), _read_key(pair.key)
    if certificate.public_key() != key.public_key():
        raise InvalidPair("the key does not belong to the certificate")
    return certificate


def _read_key(pem: str) -> Key:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except Exception:
        # Many types, whose messages may contain a part of the key: neither they nor the chain of exceptions go any further.
        raise InvalidPair("the key is not in PEM, or it is encrypted") from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)):
        raise InvalidPair("the key is neither EC, RSA nor Ed25519")
    return key


def _name(common: str) -> x509.Name:
    # The attribute has at most 64 characters (X.520); verifiers read the alternative names.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, serial: int, key: OwnKey, now: float, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).serial_number(serial)
    builder = builder.public_key(key.public_key()).not_valid_before(time_of(now) - BACKDATE).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
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


def _pair(certificate: x509.Certificate, key: OwnKey) -> Pair:
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
