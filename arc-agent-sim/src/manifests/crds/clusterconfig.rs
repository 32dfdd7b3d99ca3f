//! Group `clusterconfig.azure.com`.

use super::schema::Schema;
use super::{Column, Crd};

const GROUP: &str = "clusterconfig.azure.com";

pub(super) fn kinds() -> Vec<Crd> {
    vec![
        identity_request(),
        extension_identity(),
        certificate(),
        extension_config(),
        git_config(),
        custom_location_settings(),
        sync_status(),
        undocumented("ExtensionEvents", "extensionevents"),
        undocumented("HealthState", "healthstates"),
        signing_key(),
    ]
}

const STATUS: Column = ("Status", "string", ".status.status");

/// How an agent asks the identity operator for a token.
fn identity_request() -> Crd {
    let spec = Schema::strings(&["audience", "resourceId", "apiVersion"]);
    let status = Schema::strings(&["expirationTime"])
        .and(&[("tokenReference", Schema::strings(&["secretName", "dataName"]))]);
    Crd::new(GROUP, "AzureClusterIdentityRequest", "azureclusteridentityrequests", spec, status)
        .short("azidentityreq")
        .columns(&[
            ("Secret", "string", ".status.tokenReference.secretName"),
            ("Expires", "string", ".status.expirationTime"),
        ])
}

fn extension_identity() -> Crd {
    let accounts = Schema::list(Schema::strings(&["name", "namespace"]));
    let spec = Schema::strings(&["tokenNamespace"]).and(&[("serviceAccounts", accounts)]);
    Crd::new(GROUP, "AzureExtensionIdentity", "azureextensionidentities", spec, Schema::open())
}

fn certificate() -> Crd {
    let spec = Schema::strings(&["issuer", "serviceName"]);
    let status = Schema::strings(&["errorMessage", "lastSyncTime", "expirationTime", "secretName"]);
    Crd::new(GROUP, "ArcCertificate", "arccertificates", spec, status).columns(&[
        ("Secret", "string", ".status.secretName"),
        ("Expires", "string", ".status.expirationTime"),
    ])
}

fn extension_config() -> Crd {
    let spec = Schema::strings(&[
        "extensionType",
        "version",
        "releaseTrain",
        "repoUrl",
        "correlationId",
        "operationId",
        "operationTriggerType",
        "eventOperationId",
        "extensionRegistrationTime",
        "lastModifiedTime",
    ])
    .and(&[
        ("autoUpgradeMinorVersion", Schema::boolean()),
        ("parameter", Schema::map_of_strings()),
        ("protectedParameters", Schema::strings(&["referenceName", "version"])),
        ("reconcilerIntervalInSeconds", Schema::integer()),
        ("softDelete", Schema::boolean()),
    ]);
    let sync = Schema::strings(&["lastSyncTime"]).and(&[("isSyncedWithAzure", Schema::boolean())]);
    let status = Schema::strings(&[
        "status",
        "message",
        "configAppliedTime",
        "lastSuccessfulReconciledTime",
        "observedOperationId",
        "observedEventOperationId",
        "operatorPropertiesHashed",
        "reconciliationError",
    ])
    .and(&[("observedGeneration", Schema::integer()), ("syncStatus", sync)]);
    Crd::new(GROUP, "ExtensionConfig", "extensionconfigs", spec, status)
        .short("ec")
        .columns(&[("Type", "string", ".spec.extensionType"), STATUS])
}

fn git_config() -> Crd {
    let required = ["giturl", "operatorClientLocation", "operatorParams", "operatorType", "operatorScope"];
    let spec = Schema::strings(&required)
        .and(&[
            ("operatorInstanceName", Schema::string()),
            ("enableHelmOperator", Schema::boolean()),
            ("deleteOperator", Schema::boolean()),
            ("correlationId", Schema::string()),
            ("helmOperatorProperties", Schema::open()),
        ])
        .required(&[required.as_slice(), &["operatorInstanceName", "enableHelmOperator"]].concat());
    let status = Schema::strings(&[
        "status",
        "message",
        "configAppliedTime",
        "lastPolledStatusTime",
        "operatorPropertiesHashed",
        "publicKey",
    ])
    .and(&[("isSyncedWithAzure", Schema::boolean()), ("retryCountPublicKey", Schema::integer())]);
    Crd::new(GROUP, "GitConfig", "gitconfigs", spec, status)
        .columns(&[("Repository", "string", ".spec.giturl"), STATUS])
}

fn custom_location_settings() -> Crd {
    let spec = Schema::strings(&[
        "ClusterRole",
        "RPAppId",
        "ExtensionType",
        "ExtensionRegistrationTime",
        "AnnotationSyncFilter",
        "LabelSyncFilter",
    ])
    .and(&[("EnabledResourceTypes", Schema::list(Schema::string()))]);
    Crd::new(GROUP, "CustomLocationSettings", "customlocationsettings", spec, Schema::open())
}

fn sync_status() -> Crd {
    let status = Schema::strings(&[
        "configKind",
        "configApplyTime",
        "resourceVersionSynced",
        "agentOperationID",
        "syncTime",
    ]);
    Crd::new(GROUP, "ConfigSyncStatus", "configsyncstatuses", Schema::open(), status)
}

/// A kind whose fields no public document names.
fn undocumented(kind: &'static str, plural: &'static str) -> Crd {
    Crd::new(GROUP, kind, plural, Schema::open(), Schema::open())
}

fn signing_key() -> Crd {
    let spec = Schema::strings(&["syncToHisRequestedAt", "rotateKeysRequestedAt"]);
    let status = Schema::strings(&[
        "clusterUid",
        "clusterIssuerUrl",
        "jwksUri",
        "openIdConfiguration",
        "lastHisSyncSuccessTime",
        "lastKeyRotatationTime",
    ]);
    Crd::new(GROUP, "SigningKey", "signingkeys", spec, status)
}
