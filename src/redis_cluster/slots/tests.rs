//! The interval set against the obvious set: a `BTreeSet` of slot numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ranges() -> impl Strategy<Value = Vec<SlotRange>> {
    // Small numbers make ranges touch and overlap; large ones reach the last slot.
    let small = (0_u16..60, 0_u16..12).prop_map(|(start, length)| (start, start + length));
    let large =
        (16_350_u16..SLOT_COUNT, 0_u16..12).prop_map(|(start, length)| (start, (start + length).min(16_383)));
    let range =
        prop_oneof![3 => small, 1 => large].prop_map(|(start, end)| SlotRange::new(start, end).unwrap());
    prop::collection::vec(range, 0..12)
}

fn plain(ranges: &[SlotRange]) -> BTreeSet<u16> {
    ranges.iter().flat_map(|range| range.start()..=range.end()).collect()
}

fn slots(set: &SlotSet) -> BTreeSet<u16> {
    set.ranges().flat_map(|range| range.start()..=range.end()).collect()
}

fn assert_canonical(set: &SlotSet) {
    let ranges: Vec<_> = set.ranges().collect();
    for pair in ranges.windows(2) {
        assert!(pair[0].end() + 1 < pair[1].start(), "{set} is not sorted, disjoint and merged");
    }
}

proptest! {
    #[test]
    fn inserting_ranges_equals_inserting_slots(ranges in ranges()) {
        let set: SlotSet = ranges.iter().copied().collect();
        assert_canonical(&set);
        prop_assert_eq!(slots(&set), plain(&ranges));
        prop_assert_eq!(usize::from(set.count()), plain(&ranges).len());
    }

    #[test]
    fn removing_ranges_equals_removing_slots(held in ranges(), removed in ranges()) {
        let mut set: SlotSet = held.iter().copied().collect();
        for range in &removed {
            set.remove(*range);
        }
        assert_canonical(&set);
        let expected: BTreeSet<u16> = plain(&held).difference(&plain(&removed)).copied().collect();
        prop_assert_eq!(slots(&set), expected);
    }

    #[test]
    fn set_operations_agree_with_sets_of_slots(left in ranges(), right in ranges()) {
        let (a, b): (SlotSet, SlotSet) = (left.iter().copied().collect(), right.iter().copied().collect());
        let (x, y) = (plain(&left), plain(&right));
        prop_assert_eq!(slots(&a.union(&b)), x.union(&y).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(slots(&a.difference(&b)), x.difference(&y).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(slots(&a.intersection(&b)), x.intersection(&y).copied().collect::<BTreeSet<_>>());
        for set in [a.union(&b), a.difference(&b), a.intersection(&b)] {
            assert_canonical(&set);
        }
    }

    #[test]
    fn contains_agrees_with_the_printed_ranges(ranges in ranges(), slot in 0_u16..80) {
        let set: SlotSet = ranges.iter().copied().collect();
        prop_assert_eq!(set.contains(slot), plain(&ranges).contains(&slot));
    }

    #[test]
    fn printed_sets_read_back_as_themselves(ranges in ranges()) {
        let set: SlotSet = ranges.iter().copied().collect();
        prop_assume!(!set.is_empty());
        prop_assert_eq!(SlotSet::parse(&set.to_string()).unwrap(), set);
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[0-9,\\- +x]{0,20}") {
        if let Ok(set) = SlotSet::parse(&text) {
            assert_canonical(&set);
        }
    }

    #[test]
    fn even_shares_are_disjoint_and_cover_everything(shards in 1_usize..200) {
        let shares: Vec<_> = (0..shards).map(|index| SlotSet::even_share(index, shards)).collect();
        let whole = shares.iter().fold(SlotSet::new(), |sum, share| sum.union(share));
        prop_assert_eq!(whole, SlotSet::full());
        let counts: Vec<_> = shares.iter().map(SlotSet::count).collect();
        prop_assert_eq!(counts.iter().copied().map(u32::from).sum::<u32>(), u32::from(SLOT_COUNT));
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
    }
}

#[test]
fn text_that_is_no_range_is_refused_and_quoted() {
    for text in ["16384", "5-4", "0-16384", "-1", "1-", "-", "x", "+3", "70000", "1-2-3"] {
        let error = SlotRange::parse(text).unwrap_err().to_string();
        assert!(error.contains(&format!("\"{text}\"")), "{error}");
    }
}

#[test]
fn an_empty_set_prints_as_a_word() {
    assert_eq!(SlotSet::new().to_string(), "none");
    assert_eq!(SlotSet::parse("").unwrap(), SlotSet::new());
}

#[test]
fn no_shard_gets_no_share() {
    assert!(SlotSet::even_share(3, 3).is_empty());
    assert!(SlotSet::even_share(0, 0).is_empty());
}
