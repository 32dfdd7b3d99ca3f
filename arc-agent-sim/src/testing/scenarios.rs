//! The agents together.

use arm_wire::agent::AgentCall;

use super::World;
use crate::protocol::key::tests::rsa;
use crate::role::Role;

async fn connected() -> World {
    let mut world = World::new(rsa().await.as_ref()).await;
    for role in Role::all() {
        world.start(role);
    }
    world.advance(40).await;
    world
}

#[tokio::test]
async fn a_cluster_comes_online_by_the_agents_hand_offs() {
    let world = connected().await;
    for secret in
        ["azure-identity-certificate", "config-agent-identity-request-token", "kube-aad-proxy-certificate"]
    {
        assert!(world.kube.find(&format!("/secrets/{secret}")).is_some(), "{secret}: {}", world.log.text());
    }
    let request = world.kube.find("/config-agent-identity-request").unwrap();
    assert_eq!(request["status"]["tokenReference"]["secretName"], "config-agent-identity-request-token");
    assert_eq!(request["status"]["tokenReference"]["dataName"], "cluster-identity-token");
    let synced = world.azure.bodies(AgentCall::SyncResources);
    assert_eq!(synced.len(), 1, "{}", world.log.text());
    let status = &synced[0]["resources"][0]["status"];
    assert_eq!((&status["nodeCount"], &status["coreCount"]), (&1.into(), &2.into()));
    assert_eq!(status["kubernetesAPIServerVersion"], "1.34.4");
    assert_eq!(status["arcAgentVersion"], "1.37.2");
    assert!(world.log.text().contains("Failed to listen at the relay"));
    world.stop().await;
}

#[tokio::test]
async fn the_heartbeat_comes_every_five_minutes_and_tells_the_expiry_from_the_second_on() {
    let world = connected().await;
    world.advance(600).await;
    let synced = world.azure.bodies(AgentCall::SyncResources);
    assert_eq!(synced.len(), 3);
    let expiry = |sync: &serde_json::Value| {
        sync["resources"][0]["status"]["managedIdentityCertificateExpirationTime"].clone()
    };
    assert!(expiry(&synced[0]).is_null());
    assert_eq!(expiry(&synced[1]), "2026-03-31T23:55:00Z");
    assert_eq!(world.azure.bodies(AgentCall::PostMetrics).len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn agents_of_a_deleted_cluster_ask_on_slowly_and_recover() {
    let world = connected().await;
    world.azure.refuse(Some(404));
    world.advance(1200).await;
    let before = world.azure.count();
    world.advance(3600).await;
    let asked = world.azure.count() - before;
    assert!((10..150).contains(&asked), "{asked} calls in an hour");
    assert!(world.log.text().contains("Refused: not now"));
    world.azure.refuse(None);
    let syncs = world.azure.bodies(AgentCall::SyncResources).len();
    world.advance(600).await;
    assert!(world.azure.bodies(AgentCall::SyncResources).len() > syncs);
    world.stop().await;
}

#[tokio::test]
async fn without_an_identity_agents_wait_and_say_so() {
    let mut world = World::new(rsa().await.as_ref()).await;
    world.start(Role::ConfigAgent);
    world.start(Role::ResourceSyncAgent);
    world.start(Role::ClusterMetadataOperator);
    world.advance(60).await;
    let log = world.log.text();
    assert!(
        log.contains(r#"Error in the Getting Config {secrets \"azure-identity-certificate\" not found}"#),
        "{log}"
    );
    assert!(log.contains("Failed to get a certificate from secrets"));
    assert!(log.contains(
        "ClusterIdentityCRDTokenFetchFailed { message = Retrying token fetch in 00:00:10 seconds }"
    ));
    assert!(log.contains("Status not populated"));
    assert_eq!(world.azure.count(), 0);
    world.start(Role::ClusterIdentityOperator);
    world.advance(60).await;
    assert_eq!(world.azure.bodies(AgentCall::SyncResources).len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn an_operator_without_its_key_or_its_service_keeps_trying() {
    let mut world = World::new(rsa().await.as_ref()).await;
    let key = world.kube.find("/secrets/azure-arc-connect-privatekey").unwrap();
    world.kube.remove("/secrets/azure-arc-connect-privatekey");
    world.start(Role::ClusterIdentityOperator);
    world.advance(60).await;
    assert!(world.log.text().contains(r#"secrets \"azure-arc-connect-privatekey\" not found"#));
    world.azure.refuse(Some(503));
    world.kube.seed(key);
    world.advance(120).await;
    assert!(world.log.text().contains("Failed to get regional uri with error: {"));
    world.azure.refuse(None);
    world.advance(600).await;
    assert!(world.kube.find("/secrets/azure-identity-certificate").is_some());
    world.stop().await;
}

#[tokio::test]
async fn tokens_and_the_certificate_are_renewed_on_the_worlds_clock() {
    let world = connected().await;
    let certificates = || world.log.text().matches("Identity certificate obtained").count();
    let tokens = || world.log.text().matches("written to secret config-agent-identity-request-token").count();
    assert_eq!((tokens(), certificates()), (1, 1));
    world.advance(3600).await;
    assert_eq!((tokens(), certificates()), (2, 1));
    world.advance(3900).await;
    assert_eq!((tokens(), certificates()), (3, 2));
    world.stop().await;
}

#[tokio::test]
async fn leader_leases_are_held() {
    let world = connected().await;
    let lease = world.kube.find("/leases/gitconfigleaderid").unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "controller-manager");
    world.advance(300).await;
    let renewed = world.kube.find("/leases/gitconfigleaderid").unwrap();
    assert_ne!(lease["spec"]["renewTime"], renewed["spec"]["renewTime"]);
    world.stop().await;
}
