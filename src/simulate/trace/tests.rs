//! Traces as they come out of spreadsheets, exporters and accidents.

use super::*;

#[track_caller]
fn refused(text: &str) -> Vec<String> {
    Trace::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_line_holds_until_the_next_and_the_last_one_is_the_end() {
    let trace = Trace::parse("seconds,users\n0,100\n60,500\n120,0\n").unwrap();
    assert_eq!(trace.seconds(), 120);
    assert_eq!([0, 59, 60, 119].map(|second| trace.at(second).users), [100, 100, 500, 500]);
    assert_eq!(trace.most_users(), 500);
}

#[test]
fn time_starts_with_the_first_line() {
    let trace = Trace::parse("3600,7\n3660,8\n").unwrap();
    assert_eq!((trace.seconds(), trace.at(0).users), (60, 7));
}

#[test]
fn a_spreadsheet_with_mark_carriage_returns_blanks_and_remarks_is_read() {
    let text = "\u{feff}Seconds, Users, Requests\r\n# monday\r\n\r\n 0 , 10 , 20 \r\n5,10,\r\n";
    let trace = Trace::parse(text).unwrap();
    assert_eq!(trace.at(0).pace(), Some(2.0));
    assert_eq!(trace.at(5).pace(), None, "an empty third field is none");
}

#[test]
fn every_bad_line_is_named_by_number_and_field() {
    let text = "seconds,users,requests_per_second\n0,-1\nx,5\n1,5,NaN\n2,5,-3\n3\n4,5,6,7\n5,1e3\n6,99999999\n7,0,3\n8,10,inf\n9,1,20000\n";
    let expected = [
        "line 2, users: `-1` is not a whole number from 0 to 10000000",
        "line 3, seconds: `x` is not a whole number from 0 to 2678400",
        "line 4, requests_per_second: `NaN` is not a number of 0 or more",
        "line 5, requests_per_second: `-3` is not a number of 0 or more",
        "line 6, fields: 1 fields; write seconds,users or seconds,users,requests_per_second",
        "line 7, fields: 4 fields; write seconds,users or seconds,users,requests_per_second",
        "line 8, users: `1e3` is not a whole number from 0 to 10000000",
        "line 9, users: `99999999` is not a whole number from 0 to 10000000",
        "line 10, requests_per_second: nobody is there to send 3",
        "line 11, requests_per_second: `inf` is not a number of 0 or more",
        "line 12, requests_per_second: 20000 of 1 users is not between 0.0001 and 10000 of each",
    ];
    assert_eq!(refused(text), expected);
}

#[test]
fn time_that_stands_still_or_runs_back_is_refused() {
    assert_eq!(refused("0,1\n60,1\n60,2\n"), ["line 3, seconds: 60 is not after the 60 of the line before"]);
    assert_eq!(refused("9,1\n8,1\n"), ["line 2, seconds: 8 is not after the 9 of the line before"]);
}

#[test]
fn a_trace_without_length_is_refused() {
    for text in ["", "\n\n", "seconds,users\n", "# only a remark\n", "0,5\n"] {
        assert_eq!(refused(text).len(), 1, "{text:?}");
        assert!(refused(text)[0].contains("two lines"), "{text:?}");
    }
}

#[test]
fn a_file_that_is_no_trace_is_given_up_and_no_control_character_reaches_the_terminal() {
    let binary = "\u{1b}[31m\u{0}\u{7}".repeat(200) + "\n";
    let faults = refused(&binary.repeat(1000));
    assert_eq!(faults.len(), MOST_FAULTS + 1);
    assert!(faults.iter().all(|fault| !fault.contains(char::is_control)), "{faults:?}");
    let wide = refused(&format!("0,{}\n1,1\n", "9".repeat(100_000)));
    assert!(wide[0].len() < 200, "{}", wide[0].len());
}
