"""azure-identity: the ways to log in, and how each is refused. Files and ids come from the suite by environment variables."""

import os
import re
import threading
import urllib.parse
import urllib.request

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.mgmt.resource.resources import ResourceManagementClient

from world import SUBSCRIPTION, URL, check

TENANT, CLIENT = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"]
SCOPE = "https://management.azure.com/.default"


def use(credential):
    """A token is worth what it opens."""
    list(ResourceManagementClient(credential, SUBSCRIPTION).resource_groups.list())


def refused(credential, code):
    try:
        credential.get_token(SCOPE)
        raise SystemExit(f"not so: AADSTS{code}")
    except ClientAuthenticationError as error:
        check(f"AADSTS{code}:" in str(error), f"AADSTS{code} in {error}")


def approve(address, code, _expires):
    """What a person does in a browser."""
    form = urllib.parse.urlencode({"user_code": code}).encode()
    threading.Thread(target=lambda: urllib.request.urlopen(address, form).read()).start()


use(EnvironmentCredential())
use(CertificateCredential(TENANT, CLIENT, os.environ["SUITE_CERTIFICATE"]))
use(CertificateCredential(TENANT, CLIENT, os.environ["SUITE_CERTIFICATE"], send_certificate_chain=True))
use(WorkloadIdentityCredential(tenant_id=TENANT, client_id=CLIENT, token_file_path=os.environ["SUITE_FEDERATED_TOKEN"]))
use(ManagedIdentityCredential())
use(DeviceCodeCredential(tenant_id=TENANT, prompt_callback=approve))
os.environ["IDENTITY_ENDPOINT"], os.environ["IDENTITY_HEADER"] = f"{URL}/msi/token", "any"
use(ManagedIdentityCredential())

secret = os.environ["AZURE_CLIENT_SECRET"]
other = "11111111-1111-1111-1111-111111111111"
refused(ClientSecretCredential(TENANT, CLIENT, "wrong"), 7000215)
refused(ClientSecretCredential(TENANT, other, secret), 700016)
refused(ClientSecretCredential(TENANT, os.environ["SUITE_EXPIRED_CLIENT"], os.environ["SUITE_EXPIRED_SECRET"]), 7000222)
refused(CertificateCredential(TENANT, CLIENT, os.environ["SUITE_OTHER_CERTIFICATE"]), 700027)
token = open(os.environ["SUITE_FEDERATED_TOKEN"]).read()
head, claims, signature = token.split(".")
refused(ClientAssertionCredential(TENANT, CLIENT, lambda: f"{head}.{claims}.{signature[::-1]}"), 50013)
refused(ClientAssertionCredential(TENANT, CLIENT, lambda: open(os.environ["SUITE_OLD_TOKEN"]).read()), 700024)
try:
    ClientSecretCredential(other, CLIENT, secret).get_token(SCOPE)
    raise SystemExit("not so: the tenant is unknown")
except (ClientAuthenticationError, ValueError) as error:
    check(re.search("AADSTS90002|invalid_tenant|[Uu]nable to get authority", str(error)), str(error))
print("ok")
