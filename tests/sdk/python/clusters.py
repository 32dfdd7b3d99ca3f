"""azure-mgmt-hybridkubernetes, in whichever release PYTHONPATH puts first: create, poll, read, list, change, credentials, delete."""

import base64
import inspect
import json
import sys

from azure.core.exceptions import HttpResponseError
from azure.mgmt import hybridkubernetes
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from world import SUBSCRIPTION, check, client_options, credential

models = hybridkubernetes.models if hasattr(hybridkubernetes, "models") else None
if models is None:
    from azure.mgmt.hybridkubernetes import models
GROUP, NAME = "sdk", sys.argv[1]
VERSION = hybridkubernetes.__version__ if hasattr(hybridkubernetes, "__version__") else "?"


def first_generation():
    """Releases before azure-core take msrest's credentials."""
    from msrest.authentication import BasicTokenAuthentication

    token = credential().get_token("https://management.azure.com/.default").token
    return BasicTokenAuthentication({"access_token": token})


def connect():
    old = "credentials" in inspect.signature(ConnectedKubernetesClient.__init__).parameters
    if old:
        base = client_options().get("base_url")
        return ConnectedKubernetesClient(first_generation(), SUBSCRIPTION, base_url=base)
    return ConnectedKubernetesClient(credential(), SUBSCRIPTION, **client_options())


def method(operations, *names):
    return next(getattr(operations, name) for name in names if hasattr(operations, name))


def body(key):
    properties = {"agent_public_key_certificate": key}
    # The first version has the directory profile of its time.
    if "aad_profile" in inspect.signature(models.ConnectedCluster.__init__).parameters and hasattr(
        models, "ConnectedClusterAADProfile"
    ):
        properties["aad_profile"] = models.ConnectedClusterAADProfile(tenant_id="t", client_app_id="c", server_app_id="s")
    identity = models.ConnectedClusterIdentity(type="SystemAssigned")
    tags = {"made": "by sdk"}
    if hasattr(models, "ConnectedClusterProperties"):
        properties = models.ConnectedClusterProperties(**properties)
        return models.ConnectedCluster(location="eastus", tags=tags, identity=identity, properties=properties)
    return models.ConnectedCluster(location="eastus", tags=tags, identity=identity, **properties)


def member(cluster, name):
    """Newer releases nest the properties."""
    nested = getattr(cluster, "properties", None)
    value = getattr(cluster, name, None)
    return value if value is not None or nested is None else getattr(nested, name, None)


client = connect()
clusters = client.connected_cluster
public = rsa.generate_private_key(public_exponent=65537, key_size=4096).public_key()
key = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()

made = method(clusters, "begin_create_or_replace", "begin_create", "create")(GROUP, NAME, body(key)).result()
check(member(made, "provisioning_state") == "Succeeded", member(made, "provisioning_state"))
check(made.identity.principal_id, "the cluster has an identity")
got = clusters.get(GROUP, NAME)
check(member(got, "agent_public_key_certificate") == key, "the key comes back")
check(got.tags == {"made": "by sdk"}, "so do the tags")
for listed in (clusters.list_by_resource_group(GROUP), clusters.list_by_subscription()):
    check(NAME in [one.name for one in listed], "lists show it")

patch = models.ConnectedClusterPatch(tags={"changed": "yes"})
change = method(clusters, "begin_update_async", "update")
if inspect.signature(change).parameters.keys() >= {"tags"}:
    changed = change(GROUP, NAME, tags={"changed": "yes"})
else:
    changed = change(GROUP, NAME, patch)
changed = changed.result() if hasattr(changed, "result") else changed
check(changed.tags == {"changed": "yes"}, "PATCH replaces tags")

if hasattr(clusters, "list_cluster_user_credential") and hasattr(models, "ListClusterUserCredentialProperties"):
    asked = models.ListClusterUserCredentialProperties(authentication_method="AAD", client_proxy=True)
    handed = clusters.list_cluster_user_credential(GROUP, NAME, asked)
    check(handed.kubeconfigs[0].name, "credentials are handed out")


def fails(call):
    """The status and ARM's code of a call that is refused, from azure-core's errors or msrest's."""
    try:
        result = call()
        result.result() if hasattr(result, "result") else None
        raise SystemExit("not so: this is refused")
    except HttpResponseError as error:
        return error.status_code, error.error.code if error.error else None
    except Exception as error:
        response = getattr(error, "response", None)
        if response is None:
            raise
        return response.status_code, json.loads(response.text)["error"]["code"]


check(fails(lambda: clusters.get(GROUP, "none")) == (404, "ResourceNotFound"), "an unknown one is not found")
check(fails(lambda: clusters.get("none", NAME)) == (404, "ResourceGroupNotFound"), "nor is one in no group")
method(clusters, "begin_delete", "delete")(GROUP, NAME).result()
check(fails(lambda: clusters.get(GROUP, NAME))[0] == 404, "a deleted one is gone")
print("ok", VERSION)
