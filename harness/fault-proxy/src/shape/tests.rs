use std::io::ErrorKind;

use sim_core::clock::Mode;
use sim_core::seed::Seed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn clock() -> Clock {
    Clock::new(Mode::Manual, jiff::Timestamp::UNIX_EPOCH)
}

/// A shaped connection, and its target.
fn shaped(line: Line, clock: &Clock) -> (Shaped<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 20);
    (Shaped::new(near, Some(line), clock, &Arc::new(Seed::new(1).stream("line"))), far)
}

#[tokio::test]
async fn an_answer_is_cut_at_the_byte_that_the_rule_names() {
    let clock = clock();
    let (mut near, mut far) = shaped(Line::ResetAt { bytes: 5 }, &clock);
    far.write_all(b"0123456789").await.unwrap();
    let mut five = [0u8; 5];
    near.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"01234");
    assert_eq!(near.read(&mut five).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (mut near, mut far) = shaped(Line::Truncate { bytes: 3 }, &clock);
    far.write_all(b"0123456789").await.unwrap();
    let mut all = Vec::new();
    near.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"012");
}

#[tokio::test]
async fn a_stalled_connection_passes_nothing_and_a_half_open_one_takes_what_is_sent() {
    let clock = clock();
    let (mut near, mut far) = shaped(Line::Stall { bytes: 0 }, &clock);
    far.write_all(b"never").await.unwrap();
    let mut some = [0u8; 5];
    assert!(clock.wall_timeout(Duration::from_millis(20), near.read(&mut some)).await.is_err());
    assert!(clock.wall_timeout(Duration::from_millis(20), near.write(b"x")).await.is_err());
    let (mut near, mut far) = shaped(Line::HalfOpen { bytes: 2 }, &clock);
    far.write_all(b"ab").await.unwrap();
    near.read_exact(&mut some[..2]).await.unwrap();
    assert!(clock.wall_timeout(Duration::from_millis(20), near.read(&mut some)).await.is_err());
    near.write_all(b"lost").await.unwrap();
    assert_eq!(far.read(&mut some).await.unwrap(), 0);
}

#[tokio::test]
async fn a_slow_link_delivers_late_by_the_worlds_clock_both_ways() {
    let clock = clock();
    let line = Line::Slow { millis: 1000, jitter: 0, bytes_per_second: Some(10) };
    let (mut near, mut far) = shaped(line, &clock);
    near.write_all(b"ask").await.unwrap();
    far.write_all(b"0123456789").await.unwrap();
    far.shutdown().await.unwrap();
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        near.read_to_end(&mut all).await.map(|_| all)
    });
    let mut heard = [0u8; 3];
    assert!(clock.wall_timeout(Duration::from_millis(20), far.read_exact(&mut heard)).await.is_err());
    // Three bytes take 0.3 s to send, and a second to arrive.
    clock.advance(Duration::from_millis(1300)).await;
    far.read_exact(&mut heard).await.unwrap();
    assert!(!reader.is_finished());
    clock.advance(Duration::from_millis(700)).await;
    assert_eq!(reader.await.unwrap().unwrap(), b"0123456789");
}

#[tokio::test]
async fn jitter_is_drawn_from_the_seed_and_never_reorders() {
    let arrivals = || async {
        let clock = clock();
        let line = Line::Slow { millis: 0, jitter: 1000, bytes_per_second: None };
        let (mut near, mut far) = shaped(line, &clock);
        let reading = clock.clone();
        let reader = tokio::spawn(async move {
            let mut moments = Vec::new();
            for expected in 0..20u8 {
                let mut one = [0u8];
                near.read_exact(&mut one).await.unwrap();
                assert_eq!(one, [expected]);
                moments.push(reading.now());
            }
            moments
        });
        for byte in 0..20u8 {
            far.write_all(&[byte]).await.unwrap();
            clock.advance(Duration::from_millis(100)).await;
        }
        clock.advance(Duration::from_secs(1)).await;
        reader.await.unwrap()
    };
    assert_eq!(arrivals().await, arrivals().await);
}

#[tokio::test]
async fn a_slow_close_keeps_the_end_back() {
    let clock = clock();
    let (mut near, mut far) = shaped(Line::SlowClose { millis: 5000 }, &clock);
    far.write_all(b"all").await.unwrap();
    drop(far);
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        near.read_to_end(&mut all).await.map(|_| all)
    });
    clock.advance(Duration::from_millis(4999)).await;
    assert!(!reader.is_finished());
    clock.advance(Duration::from_millis(10)).await;
    assert_eq!(reader.await.unwrap().unwrap(), b"all");
}

#[tokio::test]
async fn what_is_held_comes_when_enough_is_together_or_at_the_end() {
    let clock = clock();
    let (near, mut far) = duplex(1 << 10);
    let mut near = Shaped::held(near, 6);
    far.write_all(b"abc").await.unwrap();
    let mut some = [0u8; 6];
    assert!(clock.wall_timeout(Duration::from_millis(20), near.read(&mut some)).await.is_err());
    far.write_all(b"def").await.unwrap();
    near.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"abcdef");
    far.write_all(b"g").await.unwrap();
    near.read_exact(&mut some[..1]).await.unwrap();
}
