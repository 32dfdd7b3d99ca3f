use serde_json::Value;

use crate::profile::Profile;
use crate::surfaces::SurfaceReply;
use crate::surfaces::testing::Call;
use crate::world::World;

const HOST: &str = "https://mcr.microsoft.com";
const DATA: &str = "https://eastus.data.mcr.microsoft.com";
const AGENTS: &str = "azurearck8s/batch1/stable/v2/azure-arc-k8sagents";

fn world() -> World {
    World::for_tests(Profile::default())
}

async fn get(world: &World, url: &str) -> SurfaceReply {
    Call::new("GET", url).send(world).await
}

fn header<'a>(reply: &'a SurfaceReply, name: &str) -> &'a str {
    reply.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap()
}

#[tokio::test]
async fn the_agents_chart_is_pulled_by_tag_digest_and_blob() {
    let world = world();
    let url = format!("{HOST}/v2/{AGENTS}/manifests/1.37.2");
    let head = Call::new("HEAD", &url).send(&world).await;
    assert_eq!((head.status, head.content_type), (200, super::artefact::MANIFEST));
    let digest = header(&head, "docker-content-digest").to_owned();
    let manifest = get(&world, &format!("{HOST}/v2/{AGENTS}/manifests/{digest}")).await;
    assert_eq!(manifest.body, head.body);
    let manifest: Value = manifest.value();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let blob = format!("/v2/{AGENTS}/blobs/{layer}");
    let moved = get(&world, &format!("{HOST}{blob}")).await;
    assert_eq!((moved.status, header(&moved, "location")), (307, format!("{DATA}{blob}").as_str()));
    let bytes = get(&world, &format!("{DATA}{blob}")).await;
    assert_eq!(super::artefact::digest_of(&bytes.body), layer);
    assert_eq!(bytes.body.len() as u64, manifest["layers"][0]["size"].as_u64().unwrap());
    let part = Call::new("GET", &format!("{DATA}{blob}")).header("range", "bytes=0-9").send(&world).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
    assert_eq!(header(&part, "content-range"), format!("bytes 0-9/{}", bytes.body.len()));
}

#[tokio::test]
async fn an_address_of_our_own_serves_blobs_itself() {
    let world = world();
    let base = "https://127.0.0.1:1/v2/azurearck8s/helmchart/stable/clusterdiagnosticchecks";
    let manifest = get(&world, &format!("{base}/manifests/1.36.1")).await.value();
    let digest = manifest["config"]["digest"].as_str().unwrap();
    let config = get(&world, &format!("{base}/blobs/{digest}")).await;
    assert_eq!(config.value()["name"], "clusterdiagnosticchecks");
}

#[tokio::test]
async fn tags_are_listed_in_pages() {
    let world = world();
    let all = get(&world, &format!("{HOST}/v2/{AGENTS}/tags/list")).await.value();
    let tags: Vec<&str> = all["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert!(tags.contains(&"1.37.2") && tags.contains(&"1.36.1") && tags.is_sorted());
    let page = get(&world, &format!("{HOST}/v2/{AGENTS}/tags/list?n=1")).await;
    assert_eq!(page.value()["tags"].as_array().unwrap().len(), 1);
    let next = format!("</v2/{AGENTS}/tags/list?last={}&n=1>; rel=\"next\"", tags[0]);
    assert_eq!(header(&page, "link"), next);
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_registrys_form() {
    let world = world();
    let code = async |url: &str| {
        let reply = get(&world, url).await;
        (reply.status, reply.value()["errors"][0]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(code(&format!("{HOST}/v2/{AGENTS}/manifests/9.9.9")).await, (404, "MANIFEST_UNKNOWN".into()));
    assert_eq!(code(&format!("{HOST}/v2/oss/x/manifests/1")).await, (404, "NAME_UNKNOWN".into()));
    assert_eq!(code(&format!("{HOST}/v2/{AGENTS}/blobs/sha256:00")).await, (404, "BLOB_UNKNOWN".into()));
    assert_eq!(code(&format!("{HOST}/v2/azurearck8s/helm/tags/list")).await, (404, "NAME_UNKNOWN".into()));
    let push = Call::new("PUT", &format!("{HOST}/v2/{AGENTS}/manifests/1")).send(&world).await;
    assert_eq!(push.status, 405);
    assert_eq!(get(&world, &format!("{HOST}/v2/")).await.status, 200);
}

#[tokio::test]
async fn a_helm_client_is_served_where_the_machine_has_one() {
    let mut profile = Profile::default();
    let file = std::env::temp_dir().join(format!("dryarc-helm-{}", std::process::id()));
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    profile.release.helm_client = Some(file.clone());
    let world = World::for_tests(profile);
    let base = format!("{DATA}/v2/azurearck8s/helm");
    let manifest = get(&world, &format!("{base}/manifests/helm-v3.20.1-linux-amd64")).await.value();
    std::fs::remove_file(&file).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(layer["annotations"]["org.opencontainers.image.title"], "helm-v3.20.1-linux-amd64.tar.gz");
    let bytes = get(&world, &format!("{base}/blobs/{}", layer["digest"].as_str().unwrap())).await.body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_ref()));
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some("linux-amd64/helm"));
    assert_eq!(entry.header().mode().unwrap() & 0o111, 0o111);
}
