"""Runs pods through the Python client: exec, logs, eviction. Prints nothing that a server draws.

Usage: pods.py NAMESPACE
"""

import os
import sys
import time

import yaml
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

IMAGE = os.environ["IMAGE"]


def pod(name, script, **spec):
    container = {"name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script],
                 "env": [{"name": "GREETING", "value": "hello"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "pods"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}}


def until_phase(core, namespace, name, phase):
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, field_selector=f"metadata.name={name}", timeout_seconds=60):
        now = event["object"].status.phase
        if not seen or seen[-1] != now:
            seen.append(now)
        if now == phase:
            break
    print(name, "is", seen[-1])


def execs(core, namespace):
    run = core.connect_get_namespaced_pod_exec
    print("exec:", stream(run, "talker", namespace, command=["/bin/sh", "-c", "echo $GREETING; echo oops >&2"],
                          stderr=True, stdin=False, stdout=True, tty=False).split())
    open_one = stream(run, "talker", namespace, command=["/bin/sh"], stderr=True, stdin=True, stdout=True, tty=False,
                      _preload_content=False)
    open_one.write_stdin("echo one; echo two >&2\n")
    print("read:", open_one.readline_stdout(timeout=10), open_one.readline_stderr(timeout=10))
    open_one.write_stdin("exit 7\n")
    open_one.run_forever(timeout=10)
    print("exit code:", open_one.returncode)
    status = yaml.safe_load(open_one.read_channel(3) or "{}")
    print("channel of errors was read:", status == {})
    try:
        stream(run, "nobody", namespace, command=["true"], stdout=True)
    except ApiException as error:
        print("no pod:", error.status, str(error.reason).split(" -+-+-")[0])


def logs(core, namespace):
    text = core.read_namespaced_pod_log("talker", namespace, tail_lines=2)
    print("tail:", text.split())
    print("bytes:", core.read_namespaced_pod_log("talker", namespace, limit_bytes=8).split())
    stamped = core.read_namespaced_pod_log("talker", namespace, timestamps=True, tail_lines=1).split()
    print("stamped:", len(stamped), stamped[-1])
    followed = core.read_namespaced_pod_log("counter", namespace, follow=True, _preload_content=False)
    print("followed:", b"".join(followed.stream()).decode().split())
    try:
        core.read_namespaced_pod_log("talker", namespace, container="other")
    except ApiException as error:
        print("no container:", error.status, yaml.safe_load(error.body)["message"])


def main():
    namespace = sys.argv[1]
    config.load_kube_config()
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    for _ in range(500):
        try:
            core.read_namespaced_service_account("default", namespace)
            break
        except ApiException:
            time.sleep(0.02)
    core.create_namespaced_pod(namespace, pod("talker", "echo a; echo b; echo c; exec sleep 600"))
    until_phase(core, namespace, "talker", "Running")
    core.create_namespaced_pod(namespace, pod("counter", "for i in 1 2 3; do echo $i; sleep 0.3; done", restartPolicy="Never"))
    execs(core, namespace)
    while core.read_namespaced_pod("counter", namespace).status.phase == "Pending":
        time.sleep(0.05)
    logs(core, namespace)
    until_phase(core, namespace, "counter", "Succeeded")
    found = core.read_namespaced_pod("counter", namespace).status
    ended = found.container_statuses[0].state.terminated
    print("ended:", ended.exit_code, ended.reason, {one.type: one.status for one in found.conditions})
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name="talker", namespace=namespace))
    core.create_namespaced_pod_eviction("talker", namespace, body)
    for _ in range(1000):
        try:
            core.read_namespaced_pod("talker", namespace)
            time.sleep(0.02)
        except ApiException as error:
            print("evicted:", error.status)
            break
    core.delete_namespace(namespace)


main()
