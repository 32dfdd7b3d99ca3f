"""Uses the API through the Python client, and prints what comes back: nothing that a server draws.

Usage: api.py NAMESPACE
"""

import sys
import threading
import time

import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: from-yaml, labels: {made: by-yaml}}
data: {a: "1", b: "2"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {made: by-yaml}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      schedulerName: nobody
      containers: [{name: main, image: registry.example/none:1, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {made: by-yaml}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, labels: {made: by-yaml}}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
"""


def creations(namespace):
    documents = list(yaml.safe_load_all(MANIFEST))
    for made in utils.create_from_yaml(client.ApiClient(), yaml_objects=documents, namespace=namespace):
        one = made[0] if isinstance(made, list) else made
        print("created", one.kind, one.metadata.name, "generation", one.metadata.generation)
    try:
        utils.create_from_yaml(client.ApiClient(), yaml_objects=documents[:1], namespace=namespace)
    except utils.FailToCreateError as error:
        for inner in error.api_exceptions:
            print("again:", inner.status, inner.reason)


def reads(namespace):
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    found = apps.read_namespaced_deployment("web", namespace)
    container = found.spec.template.spec.containers[0]
    print("defaults:", container.image_pull_policy, container.termination_message_path, found.spec.strategy.type,
          found.spec.strategy.rolling_update.max_surge, found.spec.revision_history_limit)
    maps = core.list_namespaced_config_map(namespace, label_selector="made=by-yaml")
    print("listed:", maps.kind, [one.metadata.name for one in maps.items])
    for number in range(5):
        labels = {"page": "yes"}
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"page-{number}", labels=labels))
        core.create_namespaced_config_map(namespace, body)
    token, pages = None, []
    while True:
        page = core.list_namespaced_config_map(namespace, label_selector="page=yes", limit=2, _continue=token)
        pages.append([one.metadata.name for one in page.items])
        token = page.metadata._continue
        if not token:
            break
    print("pages:", pages)


def patches(namespace):
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    one = core.patch_namespaced_config_map("from-yaml", namespace, {"data": {"b": None, "c": "3"}})
    print("merged:", one.data)
    operations = [{"op": "replace", "path": "/data/a", "value": "one"}, {"op": "test", "path": "/data/c", "value": "3"}]
    one = core.patch_namespaced_config_map("from-yaml", namespace, operations)
    print("by operations:", one.data)
    container = {"name": "main", "env": [{"name": "X", "value": "y"}]}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    found = apps.patch_namespaced_deployment("web", namespace, body)
    print("strategic:", found.spec.template.spec.containers[0].image, found.spec.template.spec.containers[0].env[0].name,
          "generation", found.metadata.generation)
    scale = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 5}})
    print("scale:", scale.kind, scale.spec.replicas, scale.status.selector)
    one.data = {"late": "yes"}
    core.replace_namespaced_config_map("from-yaml", namespace, one)
    try:
        core.replace_namespaced_config_map("from-yaml", namespace, one)
    except ApiException as error:
        print("stale:", error.status, yaml.safe_load(error.body)["reason"])


def watches(namespace):
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map(namespace, label_selector="watched=yes").metadata.resource_version
    labels = {"watched": "yes"}

    def change():
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="watched", labels=labels), data={"n": "0"})
        core.create_namespaced_config_map(namespace, body)
        for number in range(1, 4):
            core.patch_namespaced_config_map("watched", namespace, {"data": {"n": str(number)}})
        core.delete_namespaced_config_map("watched", namespace)

    changes = threading.Thread(target=change)
    changes.start()
    stream = watch.Watch()
    for event in stream.stream(core.list_namespaced_config_map, namespace, label_selector="watched=yes",
                               resource_version=start, timeout_seconds=20):
        print("event:", event["type"], event["object"].metadata.name, event["object"].data)
        if event["type"] == "DELETED":
            stream.stop()
    changes.join()


def refusals(namespace):
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    attempts = {
        "absent": lambda: core.read_namespaced_config_map("nobody", namespace),
        "name": lambda: core.create_namespaced_config_map(
            namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="Not_A_Name"))),
        "selector": lambda: apps.patch_namespaced_deployment(
            "web", namespace, {"spec": {"selector": {"matchLabels": {"app": "other"}}}}),
        "service": lambda: core.patch_namespaced_service("web", namespace, {"spec": {"ports": [{"port": 80, "targetPort": 0}]}}),
        "strict": lambda: core.create_namespaced_config_map(
            namespace, {"metadata": {"name": "strict"}, "dato": {}}, field_validation="Strict"),
        "patch": lambda: core.patch_namespaced_config_map(
            "from-yaml", namespace, [{"op": "test", "path": "/data/late", "value": "no"}]),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            print(name, "was accepted")
        except ApiException as error:
            status = yaml.safe_load(error.body)
            causes = [cause.get("field") for cause in status.get("details", {}).get("causes", [])]
            print(name, error.status, status["reason"], causes, status["message"].replace(namespace, "NAMESPACE"))


def dynamics(namespace):
    api = dynamic.DynamicClient(client.ApiClient())
    kind = api.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", "namespace": namespace}, "data": {"k": "1"}}
    one = kind.server_side_apply(body=body, namespace=namespace, field_manager="python")
    print("applied:", one.data.to_dict(), [field.manager for field in one.metadata.managedFields])
    body["data"] = {"k": "2"}
    try:
        kind.server_side_apply(body=body, namespace=namespace, field_manager="other")
    except dynamic.exceptions.ConflictError as error:
        print("conflict:", error.summary().replace("\n", " ").split("Reason: ")[-1])
    forced = kind.server_side_apply(body=body, namespace=namespace, field_manager="other", force_conflicts=True)
    print("forced:", forced.data.to_dict())
    print("kinds:", sorted({one.kind for one in api.resources.search(group="apps") if not one.kind.endswith("List")}))
    print("version:", client.VersionApi().get_code().git_version)


def definition(group):
    """A custom kind with a schema, columns, a status and a scale."""
    size = client.V1JSONSchemaProps(type="integer", minimum=1, maximum=9, default=2)
    spec = client.V1JSONSchemaProps(type="object", properties={
        "size": size, "mode": client.V1JSONSchemaProps(type="string", enum=["fast", "slow"])})
    status = client.V1JSONSchemaProps(type="object", properties={"size": client.V1JSONSchemaProps(type="integer")})
    schema = client.V1JSONSchemaProps(type="object", properties={"spec": spec, "status": status})
    version = client.V1CustomResourceDefinitionVersion(
        name="v1", served=True, storage=True, schema=client.V1CustomResourceValidation(open_apiv3_schema=schema),
        subresources=client.V1CustomResourceSubresources(
            status={}, scale=client.V1CustomResourceSubresourceScale(
                spec_replicas_path=".spec.size", status_replicas_path=".status.size")))
    names = client.V1CustomResourceDefinitionNames(kind="Thing", plural="things", short_names=["th"])
    return client.V1CustomResourceDefinition(
        metadata=client.V1ObjectMeta(name=f"things.{group}"),
        spec=client.V1CustomResourceDefinitionSpec(group=group, scope="Namespaced", names=names, versions=[version]))


def customs(namespace):
    group = f"{namespace}.example.com"
    extensions, api = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    extensions.create_custom_resource_definition(definition(group))
    for event in watch.Watch().stream(extensions.list_custom_resource_definition,
                                      field_selector=f"metadata.name=things.{group}", timeout_seconds=20):
        conditions = {one.type: one.status for one in event["object"].status.conditions or []}
        if conditions.get("Established") == "True":
            print("established:", conditions, event["object"].status.accepted_names.list_kind)
            break
    where = {"group": group, "version": "v1", "namespace": namespace, "plural": "things"}
    body = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one", "finalizers": ["example.com/hold"]},
            "spec": {"mode": "fast", "unknown": True}}
    one = until(lambda: api.create_namespaced_custom_object(body=body, **where))
    print("created:", one["spec"], one["metadata"]["generation"])
    for wrong in ({"size": 10}, {"mode": "odd"}, {"size": "many"}):
        try:
            api.patch_namespaced_custom_object(name="one", body={"spec": wrong}, **where)
        except ApiException as error:
            print("refused:", error.status, yaml.safe_load(error.body)["message"])
    told = api.patch_namespaced_custom_object_status(name="one", body={"status": {"size": 2}, "spec": {"size": 7}}, **where)
    print("status:", told["status"], told["spec"], told["metadata"]["generation"])
    scaled = api.patch_namespaced_custom_object_scale(name="one", body={"spec": {"replicas": 4}}, **where)
    print("scale:", scaled["kind"], scaled["spec"], scaled["status"])
    listed = api.list_namespaced_custom_object(**where)
    print("listed:", listed["kind"], [item["metadata"]["name"] for item in listed["items"]])
    try:
        for event in watch.Watch().stream(api.list_namespaced_custom_object, resource_version="1", timeout_seconds=5, **where):
            print("an event from before there was the kind:", event["type"])
    except ApiException as error:
        print("an old revision:", error.status, str(error.reason).split(":")[0])
    extensions.delete_custom_resource_definition(f"things.{group}")
    gone = until(lambda: terminating(api.get_namespaced_custom_object(name="one", **where)))
    print("held:", gone["metadata"]["finalizers"], gone["metadata"]["deletionGracePeriodSeconds"])
    try:
        api.create_namespaced_custom_object(body={**body, "metadata": {"name": "late"}}, **where)
    except ApiException as error:
        print("late:", error.status, yaml.safe_load(error.body)["message"])
    left = extensions.read_custom_resource_definition(f"things.{group}")
    print("left:", left.metadata.finalizers, [(one.type, one.reason) for one in left.status.conditions])
    api.patch_namespaced_custom_object(name="one", body={"metadata": {"finalizers": None}}, **where)
    until(lambda: absent(lambda: extensions.read_custom_resource_definition(f"things.{group}")))
    print("the definition is gone")


def terminating(thing):
    return thing if "deletionTimestamp" in thing["metadata"] else None


def absent(read):
    try:
        read()
    except ApiException as error:
        return error.status == 404
    return False


def until(attempt):
    """Repeats what a server may need a moment for."""
    for _ in range(500):
        try:
            found = attempt()
            if found:
                return found
        except ApiException as error:
            if error.status not in (404, 429, 500):
                raise
        time.sleep(0.02)
    raise TimeoutError(attempt)


def access(namespace):
    core, auth = client.CoreV1Api(), client.AuthorizationV1Api()
    spec = client.V1SelfSubjectAccessReviewSpec(
        resource_attributes=client.V1ResourceAttributes(namespace=namespace, verb="delete", resource="pods"))
    review = auth.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
    print("may I:", review.status.allowed)
    wanted = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="reader")))
    binding = client.V1RoleBinding(
        metadata=client.V1ObjectMeta(name="reader"),
        role_ref=client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="reader"),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name="reader", namespace=namespace)])
    client.RbacAuthorizationV1Api().create_namespaced_role_binding(namespace, binding)
    token = core.create_namespaced_service_account_token("reader", namespace, wanted).status.token
    own = client.Configuration.get_default_copy()
    own.cert_file = own.key_file = None
    own.api_key = {"authorization": "Bearer " + token}
    reader = client.CoreV1Api(client.ApiClient(own))
    print("as the account:", reader.read_namespaced_config_map("from-yaml", namespace).data)
    try:
        reader.list_namespaced_secret(namespace)
    except ApiException as error:
        print("refused:", error.status, yaml.safe_load(error.body)["message"].replace(namespace, "NAMESPACE"))


def main():
    namespace = sys.argv[1]
    config.load_kube_config()
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    for part in (creations, reads, patches, watches, refusals, dynamics, customs, access):
        print(f"== {part.__name__}")
        part(namespace)
    gone = core.delete_collection_namespaced_config_map(namespace, label_selector="page=yes")
    print("collection:", gone.kind if hasattr(gone, "kind") else type(gone).__name__)
    core.delete_namespace(namespace)


main()
