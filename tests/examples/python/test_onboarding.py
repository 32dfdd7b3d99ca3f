"""How a test in Python holds an onboarding tool against a world of dryarc: pytest, and `dryarc` on PATH (or in DRYARC)."""

import json
import os
import subprocess

import pytest

REGISTERED = ("Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration")
# What is tested. Here it is dryarc's own driver; put your script, or `az connectedk8s connect`, in its place.
TOOL = ("dryarc", "onboard", "--name", "edge", "--resource-group", "arc", "--location", "eastus")


class World:
    """A simulated Azure with a cluster. Its clock jumps to what is waited for."""

    def __init__(self, folder):
        self.program = os.environ.get("DRYARC", "dryarc")
        self.env = {**os.environ, "DRYARC_STATE_HOME": str(folder)}
        self("up", "--detach", "--clock", "instant")

    def __call__(self, *arguments, check=True):
        command = [self.program, *arguments]
        return subprocess.run(command, env=self.env, check=check, capture_output=True, text=True, timeout=120)

    def tool(self, check=True):
        """Runs the tool inside of the world: logged in, and with every host of Azure in its place."""
        words = [self.program if word == "dryarc" else word for word in TOOL]
        return self("exec", "--", *words, check=check)

    def json(self, *arguments):
        return json.loads(self(*arguments, "--output", "json").stdout)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    for namespace in REGISTERED:
        world("provider", "set", namespace, "--state", "Registered")
    yield world
    world("down")


def test_the_cluster_is_connected_once_its_agents_reported(world):
    world.tool()
    world("clock", "advance", "6m")
    assert world.json("list")[0]["connectivityStatus"] == "Connected"


def test_the_tool_tries_again_when_resource_manager_is_busy(world):
    rule = {
        "id": "busy",
        "hook": "before",
        "match": {"facts": {"surface": "arm", "method": "PUT"}, "nth": [1]},
        "effect": "respond",
        "status": 503,
        "code": "ServerBusy",
        "message": "try again",
    }
    world("fault", "add", "--rule", json.dumps(rule))
    world.tool()
    assert world.json("fault", "list")[0]["fired"] == 1


def test_the_tool_says_so_when_the_configuration_service_is_blocked(world):
    rule = {
        "id": "firewall",
        "hook": "wire",
        "match": {"facts": {"host": "*.dp.kubernetesconfiguration.azure.com"}},
        "effect": "refuse",
    }
    world("fault", "add", "--rule", json.dumps(rule))
    failed = world.tool(check=False)
    assert failed.returncode == 1
    assert "dp.kubernetesconfiguration.azure.com" in failed.stderr
