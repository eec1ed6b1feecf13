//! The report's five rows, and what must not be made of three of them.

use super::*;

const REPORT: &str = include_str!("../../examples/report-profile.json");

fn report() -> Vec<Measured> {
    results::parse(REPORT).unwrap()
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found / expected - 1.0).abs();
    assert!(off <= tolerance, "{found} is {:.2} % off {expected}", off * 100.0);
}

fn names(warnings: &[Warning]) -> Vec<&'static str> {
    warnings.iter().map(|warning| warning.name).collect()
}

mod of_the_report {
    use super::*;

    #[test]
    fn the_queue_up_to_the_knee() {
        let queue = calibrate(&report()).unwrap().queue;
        near(queue.think_seconds, 1.087, 0.001);
        near(queue.service_seconds, 0.000_570, 0.01);
        near(queue.capacity, 1756.0, 0.01);
        near(queue.knee_users, 1912.0, 0.01);
        near(queue.requests_per_user, 0.918, 0.001);
    }

    #[test]
    fn the_scalability_law_over_requests_in_service() {
        let fit = calibrate(&report()).unwrap().in_service;
        near(fit.lambda, 134.0, 0.01);
        near(fit.alpha, 0.067, 0.01);
        near(fit.beta, 1.65e-5, 0.01);
        near(fit.peak_at, 238.0, 0.01);
        near(fit.peak, 1799.0, 0.01);
        near(fit.r_squared, 0.976, 0.001);
    }

    #[test]
    fn the_scalability_law_over_users_is_the_wrong_variable() {
        // Failed answers counted, as the report counts them.
        let rows = points(&report(), |row| f64::from(row.users));
        let answered = rows.iter().zip(report()).map(|((users, _), row)| (*users, row.requests_per_second));
        let fit = usl::fit(&answered.collect::<Vec<_>>()).unwrap();
        near(fit.peak_at, 3041.0, 0.01);
        near(fit.peak, 1545.0, 0.01);
        near(fit.r_squared, 0.79, 0.01);
    }

    #[test]
    fn the_capacity_rests_on_the_row_of_2000_users() {
        let calibration = calibrate(&report()).unwrap();
        let (mut others, mut without) = (Vec::new(), 0.0);
        for one in &calibration.without {
            if one.users == 2000 { without = one.peak_per_second } else { others.push(one.peak_per_second) }
        }
        near(without, 1115.0, 0.01);
        near(others.iter().copied().fold(f64::INFINITY, f64::min), 1765.0, 0.01);
        near(others.iter().copied().fold(0.0, f64::max), 1864.0, 0.01);
        let said = calibration.warnings.iter().find(|warning| warning.name == "RestsOnOneRow").unwrap();
        assert!(said.message.contains("2000 users"), "{}", said.message);
    }

    #[test]
    fn little_finds_every_user_up_to_2000_and_four_fifths_beyond() {
        let calibration = calibrate(&report()).unwrap();
        let expected = [(1.087, 100.0), (1.084, 100.2), (1.089, 99.8), (1.975, 81.9), (2.616, 80.1)];
        for (row, (think, found)) in calibration.rows.iter().zip(expected) {
            near(row.think_seconds, think, 0.001);
            near(row.users_found_percent, found, 0.002);
        }
        near(calibration.rows[4].goodput, 901.9, 0.001);
        let missing = names(&calibration.warnings).into_iter().filter(|name| *name == "UsersMissing");
        assert_eq!(missing.count(), 2);
    }

    #[test]
    fn it_carries_the_profile_that_specs_have_by_default() {
        let calibration = calibrate(&report()).unwrap();
        assert_eq!(calibration.refusals, []);
        let (found, usual) = (calibration.profile(), crate::crd::InstanceProfile::default());
        let same = [
            (found.connections, usual.connections),
            (found.requests_per_second, usual.requests_per_second),
            (found.knee_users, usual.knee_users),
            (found.knee_in_flight, usual.knee_in_flight),
            (found.max_in_flight, usual.max_in_flight),
        ];
        for (found, usual) in same {
            // The knee is 1,914 here: the report rounds, and Z, S and R are rounded in 1,912.
            assert!((found - usual).abs() <= 1 + usual / 500, "{found} for {usual}");
        }
        assert!((found.requests_per_user - usual.requests_per_user).abs() < 0.0015, "{found:?}");
    }
}

mod traps {
    use super::*;

    /// Light rows alone fit perfectly over users and promise more than twice what the server did.
    #[test]
    fn three_rows_of_the_report_fit_perfectly_and_are_refused() {
        let calibration = calibrate(&report()[..3]).unwrap();
        near(calibration.by_users.r_squared, 1.0, 1e-4);
        near(calibration.by_users.peak_at, 9200.0, 0.02);
        near(calibration.by_users.peak, 4217.0, 0.02);
        let refusals = names(&calibration.refusals);
        assert!(
            refusals.contains(&"PeakNotMeasured") && refusals.contains(&"PeakBeyondMeasurement"),
            "{refusals:?}"
        );
        let warnings = names(&calibration.warnings);
        assert!(warnings.contains(&"ExactFit") && warnings.contains(&"FitByUsersMisleads"), "{warnings:?}");
        assert!(calibration.without.is_empty());
    }

    #[test]
    fn a_row_that_was_tampered_with_changes_the_profile() {
        let text = REPORT.replace("1750.90", "1650.90");
        let calibration = calibrate(&results::parse(&text).unwrap()).unwrap();
        assert_eq!(calibration.profile().requests_per_second, 1650);
        assert!((calibration.rows[2].users_found_percent - 99.8).abs() > 1.0);
    }

    #[test]
    fn users_who_never_thought_are_an_error_and_no_number() {
        let row =
            |users, mean_seconds| Measured { users, requests_per_second: 100.0, mean_seconds, success: 1.0 };
        let rows = [row(10, 1.0), row(20, 1.0), row(30, 1.0)];
        assert!(calibrate(&rows).unwrap_err().contains("did not think"));
    }
}

mod hostile {
    use super::*;

    #[track_caller]
    fn refused(text: &str) -> Vec<String> {
        results::parse(text).unwrap_err()
    }

    #[test]
    fn what_is_no_list_of_results_is_refused_in_words() {
        assert!(refused("")[0].starts_with("not JSON"));
        assert!(refused("{}")[0].contains("`tests`"));
        assert!(refused("[1, 2]")[0].starts_with("2 results; 3 at least"));
        assert_eq!(
            refused("[1, null, []]"),
            ["row 1: not an object", "row 2: not an object", "row 3: not an object"]
        );
    }

    #[test]
    fn every_bad_field_is_named_with_its_row() {
        let text = r#"[
            {"concurrent_users": -1, "requests_per_second": "fast", "avg_response_time": "1ms"},
            {"concurrent_users": 1.5, "requests_per_second": 1, "avg_response_time": 0.1, "success_rate": "130%"},
            {"concurrent_users": 1e9, "requests_per_second": 0, "failed_requests": 3}
        ]"#;
        let expected = [
            "row 1: concurrent_users: -1 is not a number from 1 to 100000",
            "row 1: requests_per_second: \"fast\" is not a number from 0.000001 to 1000000000",
            "row 1: avg_response_time: \"1ms\" is not a number from 0.000001 to 3600",
            "row 2: success_rate: \"130%\" is not a number from 0 to 100",
            "row 2: concurrent_users: 1.5 is not a whole number",
            "row 3: concurrent_users: 1000000000.0 is not a number from 1 to 100000",
            "row 3: requests_per_second: 0 is not a number from 0.000001 to 1000000000",
            "row 3: avg_response_time: missing",
            "row 3: success_rate: missing although failed_requests is there",
        ];
        assert_eq!(refused(text), expected);
    }

    #[test]
    fn the_same_number_of_users_twice_is_refused() {
        let row = r#"{"concurrent_users": 5, "requests_per_second": 1, "avg_response_time": 0.1}"#;
        let problems = refused(&format!("[{row}, {row}, {row}]"));
        assert_eq!(problems[0], "two rows with 5 users; keep one, or the mean of both");
    }
}
