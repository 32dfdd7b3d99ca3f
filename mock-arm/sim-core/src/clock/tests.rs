//! Behaviours of the clock.

use super::*;

fn manual() -> Clock {
    Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH)
}

#[tokio::test]
async fn advance_steps_through_every_deadline_in_order() {
    let clock = manual();
    let ticker = clock.clone();
    let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let _busy = ticker.sleep(Duration::from_secs(300)).await;
            let _ = sender.send(ticker.now().as_second());
        }
    });
    let advanced = clock.advance(Duration::from_secs(1200)).await;
    assert!(advanced.quiet);
    let mut seen = Vec::new();
    while let Ok(tick) = ticks.try_recv() {
        seen.push(tick);
    }
    assert_eq!(seen, [300, 600, 900, 1200]);
    assert_eq!(clock.now().as_second(), 1200);
}

#[tokio::test]
async fn instant_moves_only_for_a_foreground_waiter() {
    let clock = Clock::new(Mode::Instant, Timestamp::UNIX_EPOCH);
    let background = clock.clone();
    let slept = tokio::spawn(async move { drop(background.sleep(Duration::from_secs(60)).await) });
    assert!(clock.quiet().await);
    assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    clock.foreground_sleep(Duration::from_secs(90)).await;
    slept.await.unwrap();
    assert_eq!(clock.now().as_second(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_scaled_clock_runs_faster_than_the_wall() {
    let clock = Clock::new(Mode::Scaled { speed: 60.0 }, Timestamp::UNIX_EPOCH);
    let watch = clock.stopwatch();
    drop(clock.sleep(Duration::from_secs(600)).await);
    assert_eq!(watch.elapsed().as_secs(), 10);
    assert_eq!(clock.retry_after(Duration::from_secs(15)), Duration::from_secs(1));
    clock.set_mode(Mode::Real);
    assert_eq!(clock.retry_after(Duration::from_secs(15)), Duration::from_secs(15));
}

#[tokio::test]
async fn quiet_waits_for_work_in_progress() {
    let clock = manual();
    let busy = clock.busy();
    let waiter = clock.clone();
    let quiet = tokio::spawn(async move { waiter.quiet().await });
    tokio::task::yield_now().await;
    assert!(!quiet.is_finished());
    drop(busy);
    assert!(quiet.await.unwrap());
}
