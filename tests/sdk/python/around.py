"""azure-mgmt-kubernetesconfiguration and azure-mgmt-extendedlocation on a connected cluster.

No namespace was registered before: the libraries register them when the cloud says so, as they do in a fresh subscription. Releases
that stream their replies (azure-mgmt-hybridkubernetes from 1.2.0b2 on) do not see what the cloud says, so that an older one is used.
"""

import base64

from azure.core.exceptions import HttpResponseError
from azure.mgmt.extendedlocation import CustomLocations
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.kubernetesconfiguration import SourceControlConfigurationClient
from azure.mgmt.resource.resources import ResourceManagementClient
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from world import SUBSCRIPTION, check, client_options, credential

login, options = credential(), client_options()
resources = ResourceManagementClient(login, SUBSCRIPTION, **options)
state = resources.providers.get("Microsoft.Kubernetes").registration_state
check(state == "NotRegistered", f"nothing is registered yet, but Microsoft.Kubernetes is {state}")
resources.resource_groups.create_or_update("around", {"location": "eastus"})

public = rsa.generate_private_key(public_exponent=65537, key_size=4096).public_key()
key = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
clusters = ConnectedKubernetesClient(login, SUBSCRIPTION, **options).connected_cluster
cluster = clusters.begin_create(
    "around",
    "c",
    {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"agentPublicKeyCertificate": key}},
).result()
check(
    resources.providers.get("Microsoft.Kubernetes").registration_state == "Registered",
    "the library registered the namespace and waited for it",
)

place = ("around", "Microsoft.Kubernetes", "connectedClusters", "c")
extensions = SourceControlConfigurationClient(login, SUBSCRIPTION, **options).extensions
extension = extensions.begin_create(
    *place,
    "flux",
    {
        "identity": {"type": "SystemAssigned"},
        "properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True, "releaseTrain": "Stable"},
    },
).result()
check(extension.provisioning_state == "Succeeded", extension.provisioning_state)
check([one.name for one in extensions.list(*place)] == ["flux"], "the list shows it")

resources.providers.register("Microsoft.ExtendedLocation")
while resources.providers.get("Microsoft.ExtendedLocation").registration_state != "Registered":
    pass

locations = CustomLocations(login, SUBSCRIPTION, **options).custom_locations
location = locations.begin_create_or_update(
    "around",
    "here",
    {
        "location": "eastus",
        "properties": {
            "hostResourceId": cluster.id,
            "namespace": "here",
            "clusterExtensionIds": [extension.id],
            "displayName": "here",
        },
    },
).result()
check(location.provisioning_state == "Succeeded", location.provisioning_state)
check([one.name for one in locations.list_by_resource_group("around")] == ["here"], "the list shows it")

try:
    extensions.get(*place, "none")
    raise SystemExit("not so: an unknown extension is not found")
except HttpResponseError as error:
    check(error.status_code == 404, error.status_code)

locations.begin_delete("around", "here").result()
extensions.begin_delete(*place, "flux").result()
clusters.begin_delete("around", "c").result()
check(list(resources.resources.list_by_resource_group("around")) == [], "nothing is left")
print("ok")
