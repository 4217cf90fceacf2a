//! Token buckets: their rate, their bound in memory, and what a flood of keys cannot do.

use super::*;
use crate::ports::{Bucket, CounterKey, CounterKind};
use colloquy_proto::domain::{Seconds, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Three at once, then one every ten seconds.
const BUCKET: Bucket = Bucket {
    burst: 3,
    interval_ms: 10_000,
};

const fn charge(partition: u64) -> Charge {
    Charge {
        kind: CounterKind::Members,
        key: CounterKey { partition, item: 0 },
        bucket: BUCKET,
    }
}

fn after(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

fn empty(buckets: &mut TokenBuckets, partition: u64) {
    while buckets.charge(&[charge(partition)], NOW).is_ok() {}
}

#[test]
fn kinds_are_numbered_in_the_order_of_the_list() {
    for (index, kind) in CounterKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index);
    }
}

#[test]
fn bucket_refills_at_its_rate_and_refusals_name_the_exact_wait() {
    let mut buckets = TokenBuckets::new(10);
    let mut take = |ms| buckets.charge(&[charge(1)], after(ms));
    let wait = |retry_after_ms| {
        Err(BucketEmpty {
            index: 0,
            retry_after_ms,
        })
    };
    assert_eq!([take(0), take(0), take(0)], [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(take(0), wait(10_000));
    assert_eq!(take(9_999), wait(1), "a refusal costs nothing");
    assert_eq!(take(10_000), Ok(3));
    assert_eq!(take(10_000), wait(10_000));
    assert_eq!(take(1_000_000), Ok(1), "a full bucket holds no more");
}

#[test]
fn charges_stop_at_the_first_empty_bucket() {
    let mut buckets = TokenBuckets::new(10);
    empty(&mut buckets, 2);
    let charges = [charge(1), charge(2), charge(3)];
    let refused = buckets.charge(&charges, NOW).unwrap_err();
    assert_eq!(refused.index, 1);
    assert_eq!(buckets.charge(&[charge(1)], NOW), Ok(2));
    assert_eq!(buckets.charge(&[charge(3)], NOW), Ok(1));
}

#[test]
fn returned_tokens_can_be_used_again() {
    let mut buckets = TokenBuckets::new(10);
    empty(&mut buckets, 1);
    buckets.give_back(&[(charge(1), Returned::One)], NOW);
    assert_eq!(buckets.charge(&[charge(1)], NOW), Ok(3));
    buckets.give_back(&[(charge(1), Returned::All)], NOW);
    assert_eq!(buckets.charge(&[charge(1)], NOW), Ok(1));
    // A bucket holds no more than its burst, however much is returned.
    for _ in 0..5 {
        buckets.give_back(&[(charge(1), Returned::One)], NOW);
    }
    assert_eq!(buckets.charge(&[charge(1)], NOW), Ok(1));
}

#[test]
fn clock_set_back_empties_a_bucket_at_most() {
    let mut buckets = TokenBuckets::new(10);
    buckets.charge(&[charge(1)], after(86_400_000)).unwrap();
    let refused = buckets.charge(&[charge(1)], NOW).unwrap_err();
    assert_eq!(refused.retry_after_ms, 10_000);
}

#[test]
fn flood_of_keys_resets_no_bucket_and_is_limited_itself() {
    let capacity = 100;
    let mut buckets = TokenBuckets::new(capacity);
    empty(&mut buckets, 0);
    let flood = 1..200_000;
    let admitted = flood.filter(|key| buckets.charge(&[charge(*key)], NOW).is_ok());
    // Each of its own buckets once, each shared one up to its burst.
    assert!(admitted.count() <= capacity + 3 * 4_096);
    assert!(buckets.charge(&[charge(0)], NOW).is_err());
    let other_kind = Charge {
        kind: CounterKind::LoginAccount,
        ..charge(7)
    };
    assert_eq!(buckets.charge(&[other_kind], NOW), Ok(1));
    // The buckets that are full again make room for new keys.
    let later = after(31_000);
    for key in 300_000..300_050 {
        assert_eq!(buckets.charge(&[charge(key)], later), Ok(1));
        assert!(
            buckets
                .full_at(CounterKind::Members, charge(key).key)
                .is_some()
        );
    }
}

#[test]
fn key_of_a_shared_bucket_takes_its_count_along() {
    let mut buckets = TokenBuckets::new(1);
    buckets.charge(&[charge(1)], NOW).unwrap();
    empty(&mut buckets, 2);
    // The only bucket is free again ten seconds later, the shared one has one token.
    assert_eq!(buckets.charge(&[charge(2)], after(10_001)), Ok(3));
    assert!(buckets.charge(&[charge(2)], after(10_001)).is_err());
    assert!(
        buckets
            .full_at(CounterKind::Members, charge(2).key)
            .is_some()
    );
}

#[test]
fn restored_bucket_continues_where_it_was() {
    let mut buckets = TokenBuckets::new(10);
    empty(&mut buckets, 1);
    let full_at = buckets
        .full_at(CounterKind::Members, charge(1).key)
        .unwrap();
    assert_eq!(full_at, NOW.plus(Seconds(30)));
    let mut restarted = TokenBuckets::new(10);
    restarted.restore(CounterKind::Members, charge(1).key, full_at);
    assert!(restarted.charge(&[charge(1)], NOW).is_err());
}
