//! The report's points and the table of its contradictions, which the model must reproduce.

use proptest::prelude::*;

use super::*;

fn report() -> Station {
    Station::new(&InstanceProfile::default())
}

/// Within `tolerance` of the expected value, as a share of it.
#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs() / expected;
    assert!(off <= tolerance, "{found} is {:.1} % off {expected}", off * 100.0);
}

/// Instances that `requests` per second need at `utilization`.
fn instances(requests: f64, utilization: f64) -> f64 {
    (requests / (report().capacity() * utilization)).ceil()
}

mod measured {
    use super::*;

    #[test]
    fn throughput_up_to_the_knee_is_within_one_percent() {
        for (users, requests_per_second) in [(100, 91.36), (500, 457.13), (2000, 1750.90)] {
            near(report().predict(users).requests_per_second, requests_per_second, 0.01);
        }
    }

    #[test]
    fn the_mean_response_at_the_last_good_point_is_within_three_percent() {
        near(report().predict(2000).mean_seconds, 0.0537, 0.03);
        near(report().predict(2000).in_flight, 94.0, 0.01);
    }

    #[test]
    fn beyond_the_knee_throughput_falls_as_measured_at_5000_users() {
        let beyond = report().predict(5000);
        near(beyond.requests_per_second, 1019.67, 0.03);
        assert!(beyond.requests_per_second < report().predict(2000).requests_per_second);
        // Textbook analysis sees no fall, which is why it is not used beyond the knee.
        near(report().without_fall().predict(5000).requests_per_second, 1755.0, 0.01);
    }
}

/// Users of 100,000 in all, what one instance then does, and what its loss in three costs.
mod contradictions {
    use super::*;

    #[test]
    fn a_thousand_connections_ask_for_100_instances_half_idle() {
        let each = report().predict(1000);
        near(each.requests_per_second, 918.0, 0.01);
        near(each.requests_per_second * 100.0, 91_800.0, 0.01);
        near(each.utilization, 0.52, 0.01);
    }

    #[test]
    fn fifty_instances_are_full_and_a_lost_zone_ends_the_objective() {
        let each = report().predict(2000);
        near(each.requests_per_second, 1754.0, 0.01);
        near(each.requests_per_second * 50.0, 87_700.0, 0.01);
        near(each.utilization, 0.999, 0.01);
        near(report().without_fall().predict(100_000 / 33).mean_seconds, 0.640, 0.01);
    }

    #[test]
    fn fifty_instances_of_a_thousand_users_stay_below_the_stated_load() {
        let each = report().predict(1000);
        near(each.requests_per_second * 50.0, 45_900.0, 0.01);
        let lost = report().predict(50_000 / 33);
        near(lost.utilization, 0.79, 0.01);
        near(lost.mean_seconds, 0.0042, 0.02);
    }

    #[test]
    fn fifty_thousand_requests_ask_for_41_48_or_57_instances() {
        for (utilization, expected, each) in [(0.7, 41.0, 1220.0), (0.6, 48.0, 1042.0), (0.5, 57.0, 877.0)] {
            near(instances(50_000.0, utilization), expected, 0.0);
            near(50_000.0 / expected, each, 0.01);
        }
    }

    #[test]
    fn the_testers_own_users_ask_for_66_or_75_instances() {
        let demand = 100_000.0 * InstanceProfile::default().requests_per_user;
        near(demand, 91_700.0, 0.01);
        near(instances(demand, 0.8), 66.0, 0.0);
        near(instances(demand, 0.7), 75.0, 0.0);
        assert_eq!((100_000_u32.div_ceil(1600), 100_000_u32.div_ceil(1400)), (63, 72));
        for (instances, utilization) in [(63, 0.83), (72, 0.73), (75, 0.70)] {
            near(report().predict(100_000 / instances).utilization, utilization, 0.01);
        }
    }
}

proptest! {
    #[test]
    fn littles_law_holds_at_any_load(users in 1_u32..6000) {
        let found = report().predict(users);
        // In the cycle: thinking, the fixed part, and the station.
        let cycle = report().think_seconds + found.mean_seconds - FIXED_SECONDS;
        prop_assert!((found.requests_per_second * cycle / f64::from(users) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn below_the_knee_more_users_never_wait_less(users in 1_u32..1800) {
        let (fewer, more) = (report().predict(users), report().predict(users + 1));
        prop_assert!(more.mean_seconds >= fewer.mean_seconds);
        prop_assert!(more.utilization >= fewer.utilization);
    }

    #[test]
    fn any_profile_a_spec_may_hold_gives_finite_numbers(
        users in 0_u32..3000, knee_users in 1_i64..10_000_000, max_in_flight in 1_i64..1_000_000,
        requests_per_user in 0.000_1_f64..10_000.0,
    ) {
        let profile = InstanceProfile { knee_users, max_in_flight, requests_per_user, ..InstanceProfile::default() };
        let found = Station::new(&profile).predict(users);
        for value in [found.requests_per_second, found.utilization, found.in_flight, found.mean_seconds, found.p95_seconds] {
            prop_assert!(value.is_finite() && value >= 0.0, "{found:?}");
        }
    }
}
