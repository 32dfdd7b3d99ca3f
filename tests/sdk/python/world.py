"""How a program of this suite finds its cloud: through the proxy variables, or as a custom cloud with endpoints of its own."""

import os

from azure.identity import ClientSecretCredential, DefaultAzureCredential

SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]
CUSTOM = os.environ.get("WAY") == "custom"
URL = os.environ["DRYARC_CLOUD_URL"]


def credential():
    if not CUSTOM:
        return DefaultAzureCredential()
    return ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=URL,
        disable_instance_discovery=True,
    )


def client_options():
    if not CUSTOM:
        return {}
    return {"base_url": URL, "credential_scopes": ["https://management.azure.com/.default"]}


def check(condition, what):
    if not condition:
        raise SystemExit(f"not so: {what}")
