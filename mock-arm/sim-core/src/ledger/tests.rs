use super::*;
use serde_json::json;

fn put(ledger: &Ledger, key: &str, value: u64) {
    let done: Result<(), ()> = ledger.write(|txn| {
        txn.put("t", key, json!(value));
        Ok(())
    });
    done.unwrap();
}

#[test]
fn a_failed_transaction_leaves_no_trace() {
    let ledger = Ledger::new();
    put(&ledger, "a", 1);
    let failed: Result<(), &str> = ledger.write(|txn| {
        txn.put("t", "a", json!(2));
        txn.put("t", "b", json!(3));
        txn.delete("t", "a");
        Err("no")
    });
    assert_eq!(failed, Err("no"));
    assert_eq!(ledger.revision(), 1);
    ledger.read(|view| {
        assert_eq!(*view.get("t", "a").unwrap().value, json!(1));
        assert!(view.get("t", "b").is_none());
    });
}

#[tokio::test]
async fn a_watch_delivers_every_change_once_and_says_when_it_is_too_late() {
    let ledger = Ledger::new();
    put(&ledger, "x/1", 1);
    let mut watch = ledger.watch("t", "x/", 0).unwrap();
    put(&ledger, "y/1", 2);
    put(&ledger, "x/2", 3);
    let keys: Vec<_> = watch.next().await.unwrap().iter().map(|c| c.key.to_string()).collect();
    assert_eq!(keys, ["x/1", "x/2"]);
    let mut slow = ledger.watch("t", "x/", 0).unwrap();
    assert_eq!(slow.next_up_to(1).await.unwrap().len(), 1);
    assert_eq!((slow.seen(), slow.next_up_to(1).await.unwrap().len()), (2, 1));
    assert_eq!(watch.seen(), 3);
    put(&ledger, "x/3", 4);
    ledger.compact(4);
    assert_eq!(watch.take().unwrap_err(), Compacted { requested: 3, oldest: 4 });
    assert!(ledger.watch("t", "", 4).is_ok());
}

#[test]
fn a_snapshot_restores_rows_and_never_goes_back_in_revision() {
    let ledger = Ledger::new();
    put(&ledger, "a", 1);
    let snapshot = ledger.snapshot();
    put(&ledger, "a", 2);
    ledger.restore(&snapshot).unwrap();
    assert_eq!(ledger.read(|view| view.get("t", "a").unwrap().value.clone()), Arc::new(json!(1)));
    assert!(ledger.revision() > 2);
    assert!(ledger.watch("t", "", 2).is_err());
}

#[test]
fn pages_continue_behind_a_key() {
    let ledger = Ledger::new();
    for (index, key) in ["p/a", "p/b", "p/c", "q/a"].into_iter().enumerate() {
        put(&ledger, key, index as u64);
    }
    ledger.read(|view| {
        let rest: Vec<_> = view.scan_after("t", "p/", "p/a").map(|(key, _)| key).collect();
        assert_eq!(rest, ["p/b", "p/c"]);
    });
}
