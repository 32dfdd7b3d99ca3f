// azure-resourcemanager-hybridkubernetes with azure-identity: create, poll, read, list, change, delete, and an error.
import com.azure.core.management.AzureEnvironment;
import com.azure.core.management.exception.ManagementException;
import com.azure.core.management.profile.AzureProfile;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.resourcemanager.hybridkubernetes.HybridKubernetesManager;
import com.azure.resourcemanager.hybridkubernetes.models.ConnectedClusterIdentity;
import com.azure.resourcemanager.hybridkubernetes.models.ResourceIdentityType;
import java.security.KeyPairGenerator;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

public class Clusters {
    public static void main(String[] arguments) throws Exception {
        boolean custom = "custom".equals(System.getenv("WAY"));
        String url = System.getenv("DRYARC_CLOUD_URL");
        Map<String, String> endpoints = new HashMap<>(AzureEnvironment.AZURE.getEndpoints());
        ClientSecretCredentialBuilder login = new ClientSecretCredentialBuilder()
            .tenantId(System.getenv("AZURE_TENANT_ID"))
            .clientId(System.getenv("AZURE_CLIENT_ID"))
            .clientSecret(System.getenv("AZURE_CLIENT_SECRET"));
        if (custom) {
            endpoints.put("resourceManagerEndpointUrl", url + "/");
            endpoints.put("activeDirectoryEndpointUrl", url + "/");
            login.authorityHost(url).disableInstanceDiscovery();
        }
        AzureProfile profile = new AzureProfile(
            System.getenv("AZURE_TENANT_ID"), System.getenv("AZURE_SUBSCRIPTION_ID"), new AzureEnvironment(endpoints));
        HybridKubernetesManager manager = HybridKubernetesManager.authenticate(login.build(), profile);
        KeyPairGenerator keys = KeyPairGenerator.getInstance("RSA");
        keys.initialize(4096);
        // What follows the envelope of an X.509 public key is the PKCS#1 key.
        byte[] der = keys.generateKeyPair().getPublic().getEncoded();
        String key = Base64.getEncoder().encodeToString(Arrays.copyOfRange(der, 24, der.length));
        var made = manager.connectedClusters().define("java").withRegion("eastus").withExistingResourceGroup("sdk")
            .withIdentity(new ConnectedClusterIdentity().withType(ResourceIdentityType.SYSTEM_ASSIGNED))
            .withAgentPublicKeyCertificate(key).withTags(Map.of("made", "by sdk")).create();
        check("Succeeded".equals(made.provisioningState().toString()), "created");
        check(manager.connectedClusters().listByResourceGroup("sdk").stream().anyMatch(one -> one.name().equals("java")), "listed");
        check(made.update().withTags(Map.of("changed", "yes")).apply().tags().containsKey("changed"), "changed");
        manager.connectedClusters().deleteByResourceGroup("sdk", "java");
        try {
            manager.connectedClusters().getByResourceGroup("sdk", "java");
            check(false, "a deleted one is gone");
        } catch (ManagementException error) {
            check("ResourceNotFound".equals(error.getValue().getCode()), error.getValue().getCode());
        }
        System.out.println("ok");
    }

    private static void check(boolean condition, String what) {
        if (!condition) throw new IllegalStateException("not so: " + what);
    }
}
