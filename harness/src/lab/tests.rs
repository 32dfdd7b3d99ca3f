use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn run(test: impl AsyncFn(Lab)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(async {
        let lab = Lab::start(LabOptions::default()).await.unwrap();
        test(lab).await;
    }));
}

#[test]
fn a_world_is_onboarded_and_goes_offline_in_its_own_time() {
    run(async |lab| {
        let first = Fault::before("busy").fact("surface", "arm").fact("method", "PUT").nth([1]);
        lab.fault(first.respond(503, "ServerBusy", "later"));
        lab.onboard("edge", "arc").await.unwrap();
        assert_eq!(lab.fired("busy"), 1);
        let connected = async || lab.connectivity("edge", "arc").await.unwrap() == "Connected";
        lab.until(10 * MINUTE, connected).await.unwrap();
        lab.fault(Fault::before("cut").fact("surface", "agents").reset());
        lab.advance(21 * MINUTE).await;
        assert_eq!(lab.connectivity("edge", "arc").await.unwrap(), "Offline");
        assert!(lab.clear("cut") && !lab.clear("cut"));
        lab.offboard("edge", "arc").await.unwrap();
        assert_eq!(lab.connectivity("edge", "arc").await.unwrap(), "Gone");
        assert!(lab.journal().iter().any(|event| event.kind == "fault"));
        lab.close().await;
    });
}

#[test]
fn what_never_comes_true_is_late_by_the_worlds_clock_and_a_dropped_world_is_gone() {
    run(async |lab| {
        let late = lab.until(90 * MINUTE, async || false).await.unwrap_err();
        assert_eq!(late, LabError::Late(90 * MINUTE));
        let address = lab.world().cloud().addr();
        drop(lab);
        let wall = Clock::running(1.0);
        let gone = wall.wall_timeout(Duration::from_secs(10), async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        assert!(gone.await.is_ok());
    });
}
