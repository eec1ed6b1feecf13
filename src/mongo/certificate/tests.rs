use super::*;
use crate::mongo::authority::{Authority, Validity};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn demands() -> Demands {
    Demands { names: vec!["db-0.db.shop.svc.cluster.local".to_owned()], now: NOW }
}

fn names() -> Vec<String> {
    ["*.db.shop.svc.cluster.local", "localhost"].map(str::to_owned).into()
}

fn authority() -> Authority {
    Authority::make("db", NOW).unwrap()
}

fn issued(by: &Authority) -> Certificate {
    by.issue(&names(), Validity { from: NOW - DAY, days: 30 }).unwrap()
}

#[test]
fn a_certificate_of_our_own_making_can_be_used() {
    assert_eq!(issued(&authority()).fault(&demands()), None);
}

#[test]
fn a_certificate_that_members_could_not_use_is_told_by_what_is_wrong_with_it() {
    let (ours, other) = (authority(), authority());
    let good = issued(&ours);
    let of_days = |from, days| ours.issue(&names(), Validity { from, days }).unwrap();
    let for_others = ours.issue(&["elsewhere".to_owned()], Validity { from: NOW - DAY, days: 30 }).unwrap();
    let cases = [
        (Certificate { key: issued(&ours).key, ..good.clone() }, "not that of the certificate"),
        (Certificate { key: Password::new("no key"), ..good.clone() }, "holds no private key"),
        (Certificate { chain: String::new(), ..good.clone() }, "tls.crt holds no certificate"),
        (Certificate { authorities: "-----".to_owned(), ..good.clone() }, "ca.crt holds no certificate"),
        (
            Certificate { authorities: other.certificate.clone(), ..good.clone() },
            "not signed by an authority",
        ),
        (of_days(NOW - 40 * DAY, 30), "has expired"),
        (of_days(NOW + 2 * DAY, 30), "not valid yet"),
        (for_others, "not valid for db-0.db.shop.svc.cluster.local"),
        (ours.issue_for_servers_alone(&names(), NOW).unwrap(), "serverAuth and clientAuth"),
    ];
    for (certificate, words) in cases {
        let fault = certificate.fault(&demands()).unwrap_or_default();
        assert!(fault.contains(words), "{words}: {fault}");
    }
}

#[test]
fn certificate_and_key_go_into_one_file_and_come_back() {
    let good = issued(&authority());
    let back = Certificate::of_pem(&good.pem(), good.authorities.clone()).unwrap();
    assert_eq!(back.fault(&demands()), None);
    assert_eq!(back.pem(), good.pem());
    assert!(!format!("{good:?}").contains("PRIVATE"), "a key is never printed");
}

#[test]
fn authorities_change_over_while_both_are_trusted() {
    let (old, new) = (authority(), authority());
    let both = format!("{}{}", old.certificate, new.certificate);
    let (before, after) = (issued(&old), issued(&new));
    assert!(after.stranger_to(&before, NOW).unwrap().contains("another authority"));
    let steps = [
        before,
        Certificate { authorities: both.clone(), ..issued(&old) },
        Certificate { authorities: both, ..issued(&new) },
        after,
    ];
    for step in steps.windows(2) {
        assert_eq!(step[1].stranger_to(&step[0], NOW), None);
    }
}

#[test]
fn one_that_has_expired_is_no_reason_to_keep_its_authority() {
    let expired = authority().issue(&names(), Validity { from: NOW - 40 * DAY, days: 30 }).unwrap();
    assert_eq!(issued(&authority()).stranger_to(&expired, NOW), None);
}
