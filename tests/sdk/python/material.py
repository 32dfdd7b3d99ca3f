"""Writes what the login programs need into a folder: certificates, tokens of an issuer, and a profile that knows both."""

import datetime
import json
import sys
import time
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

folder = Path(sys.argv[1])
CLIENT, EXPIRED = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
ISSUER, SUBJECT = "https://token.actions.githubusercontent.com", "repo:contoso/fleet:ref:refs/heads/main"


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certificate(name):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
    text = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    (folder / f"{name}.pem").write_text(pem(key) + text)
    return text


issuer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
now = int(time.time())
claims = {"iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 3600}
late = {**claims, "iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
(folder / "federated.jwt").write_text(jwt.encode(claims, pem(issuer), "RS256"))
(folder / "old.jwt").write_text(jwt.encode(late, pem(issuer), "RS256"))
public = issuer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
certificate("other")
credential = {"issuer": ISSUER, "subject": SUBJECT, "keys": [public]}
principals = [
    {"clientId": CLIENT, "certificates": [certificate("login")], "federatedCredentials": [credential]},
    {"clientId": EXPIRED, "secret": "expired~secret", "secretExpires": "2020-01-01T00:00:00Z"},
]
users = [{"principalName": "dev@dryarc.onmicrosoft.com", "password": "a~password"}]
(folder / "profile.json").write_text(json.dumps({"cloud": {"principals": principals, "users": users}}))
