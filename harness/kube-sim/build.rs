//! Describes the built-in types of Kubernetes once, while this package is built. The functions that describe them are a fifth of
//! a program that links them; what they say, compressed, is small.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::Resource;
use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, authentication::v1 as authentication,
    authorization::v1 as authorization, autoscaling::v1 as autoscaling_v1, autoscaling::v2 as autoscaling_v2,
    batch::v1 as batch, certificates::v1 as certificates, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, events::v1 as events, flowcontrol::v1 as flowcontrol,
    networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
    resource::v1 as resource, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};

/// Group, version and kind of a definition.
type Named = (&'static str, &'static str, &'static str);

struct Collector {
    generator: SchemaGenerator,
    kinds: Vec<(Named, String)>,
}

impl Collector {
    fn kind<T: Resource + JsonSchema>(&mut self) {
        let _ = self.generator.subschema_for::<T>();
        let named = (T::GROUP, T::VERSION, T::KIND);
        self.kinds.push((named, T::schema_name().into_owned()));
    }
}

macro_rules! collect {
    ($collector:ident: $($module:ident { $($kind:ident),* $(,)? })*) => {
        $($($collector.kind::<$module::$kind>();)*)*
    };
}

fn collector() -> Collector {
    let generator = SchemaSettings::openapi3().into_generator();
    let mut all = Collector { generator, kinds: Vec::new() };
    collect!(all:
        core {
            Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolumeClaim,
            PersistentVolume, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, ServiceAccount, Service,
        }
        apiregistration { APIService }
        apps { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet }
        events { Event }
        authentication { SelfSubjectReview, TokenRequest, TokenReview }
        authorization { LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview }
        autoscaling_v2 { HorizontalPodAutoscaler }
        autoscaling_v1 { HorizontalPodAutoscaler, Scale }
        batch { CronJob, Job }
        certificates { CertificateSigningRequest }
        networking { IngressClass, Ingress, IPAddress, NetworkPolicy, ServiceCIDR }
        policy { Eviction, PodDisruptionBudget }
        rbac { ClusterRoleBinding, ClusterRole, RoleBinding, Role }
        storage {
            CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttributesClass,
        }
        admission {
            MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        }
        apiextensions { CustomResourceDefinition }
        scheduling { PriorityClass }
        coordination { Lease }
        node { RuntimeClass }
        resource { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice }
        discovery { EndpointSlice }
        flowcontrol { FlowSchema, PriorityLevelConfiguration }
        meta { Status }
    );
    let _ = all.generator.subschema_for::<meta::DeleteOptions>();
    let _ = all.generator.subschema_for::<meta::ListMeta>();
    all
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let mut collector = collector();
    let definitions = collector.generator.take_definitions(false);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&serde_json::to_vec(&definitions)?)?;
    fs::write(Path::new(&out).join("definitions.json.gz"), packed.finish()?)?;
    let mut kinds = String::from("[\n");
    for ((group, version, kind), name) in collector.kinds {
        writeln!(kinds, "    ({group:?}, {version:?}, {kind:?}, {name:?}),")?;
    }
    kinds.push_str("]\n");
    fs::write(Path::new(&out).join("kinds.rs"), kinds)?;
    Ok(())
}
