"""azure-mgmt-resource: groups, providers and the generic list."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.resources import ResourceManagementClient

from world import SUBSCRIPTION, check, client_options, credential

client = ResourceManagementClient(credential(), SUBSCRIPTION, **client_options())

group = client.resource_groups.create_or_update("sdk-groups", {"location": "eastus", "tags": {"a": "1"}})
check(group.properties.provisioning_state == "Succeeded", "the group is there at once")
check(client.resource_groups.check_existence("sdk-groups"), "HEAD finds it")
check(not client.resource_groups.check_existence("sdk-none"), "HEAD misses another")
patched = client.resource_groups.update("sdk-groups", {"tags": {"b": "2"}})
check(patched.tags == {"b": "2"}, "PATCH replaces tags")
found = list(client.resource_groups.list(filter="tagName eq 'b' and tagValue eq '2'"))
check([one.name for one in found] == ["sdk-groups"], "the list filters by tag")
check(list(client.resources.list_by_resource_group("sdk-groups")) == [], "nothing is in it")

client.providers.register("Microsoft.Kubernetes")
states = {one.namespace: one.registration_state for one in client.providers.list()}
check(states["Microsoft.Kubernetes"] in ("Registering", "Registered"), "a provider registers")
one = client.providers.get("Microsoft.Kubernetes")
kinds = {kind.resource_type: kind for kind in one.resource_types}
check("2024-01-01" in kinds["connectedClusters"].api_versions, "types tell their versions")

try:
    client.resource_groups.create_or_update("sdk-groups", {"location": "westeurope"})
    raise SystemExit("not so: a group stays in its region")
except HttpResponseError as error:
    check(error.error.code == "InvalidResourceGroupLocation", error.error.code)

client.resource_groups.begin_delete("sdk-groups").result()
try:
    client.resource_groups.get("sdk-groups")
    raise SystemExit("not so: a deleted group is gone")
except ResourceNotFoundError as error:
    check(error.error.code == "ResourceGroupNotFound", error.error.code)
print("ok")
