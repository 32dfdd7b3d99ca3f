// @azure/arm-hybridkubernetes with @azure/identity, at every API version that is asked for: create, poll, read, list, change, delete.
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

// The packages are installed elsewhere, so that they are looked up from there.
const installed = createRequire(pathToFileURL(`${process.env.SUITE_PACKAGES}/package.json`));
const { ConnectedKubernetesClient } = installed("@azure/arm-hybridkubernetes");
const { ClientSecretCredential, DefaultAzureCredential } = installed("@azure/identity");

const url = process.env.DRYARC_CLOUD_URL;
const custom = process.env.WAY === "custom";
const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_ID } = process.env;
const login = custom
  ? new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, {
      authorityHost: url,
      disableInstanceDiscovery: true,
    })
  : new DefaultAzureCredential();
const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 4096 });
const key = publicKey.export({ type: "pkcs1", format: "der" }).toString("base64");

async function lifeOf(apiVersion) {
  const options = custom ? { endpoint: url, credentialScopes: "https://management.azure.com/.default" } : {};
  const client = new ConnectedKubernetesClient(login, AZURE_SUBSCRIPTION_ID, { ...options, apiVersion });
  const clusters = client.connectedClusterOperations;
  const name = `js-${apiVersion}`;
  const poller = await clusters.beginCreate("sdk", name, {
    location: "eastus",
    identity: { type: "SystemAssigned" },
    agentPublicKeyCertificate: key,
    tags: { made: "by sdk" },
  });
  const made = await poller.pollUntilDone();
  assert.equal(made.provisioningState, "Succeeded");
  assert.ok(made.identity.principalId);
  const got = await clusters.get("sdk", name);
  assert.equal(got.agentPublicKeyCertificate, key);
  for (const list of [clusters.listByResourceGroup("sdk"), clusters.listBySubscription()]) {
    const names = [];
    for await (const one of list) names.push(one.name);
    assert.ok(names.includes(name), `${name} is not in ${names}`);
  }
  if (apiVersion < "2025-12") {
    const changed = await clusters.update("sdk", name, { tags: { changed: "yes" } });
    assert.deepEqual(changed.tags, { changed: "yes" });
  } else {
    // From here on a change is long-running, which this release of the library does not know.
    await assert.rejects(clusters.update("sdk", name, { tags: { changed: "yes" } }), { statusCode: 202 });
  }
  await assert.rejects(clusters.get("sdk", "none"), { statusCode: 404, code: "ResourceNotFound" });
  await clusters.beginDeleteAndWait("sdk", name);
  await assert.rejects(clusters.get("sdk", name), { statusCode: 404 });
  return apiVersion;
}

console.log("ok", (await Promise.all(process.argv.slice(2).map(lifeOf))).join(" "));
