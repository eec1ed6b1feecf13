//! The keyfile: the keys it holds, and the phase of replacing one by another. Pure.
//!
//! mongod (4.2 and later) takes one key or a YAML list of two. It accepts either, and where a peer
//! refuses the first it tries the second, so members agree as long as they have one key in common.
//! A key is therefore replaced in two phases, each a roll of all members: from `[old]` to
//! `[old, new]`, and from there to `[new]`.

use crate::password::Password;

/// Keys of a keyfile's text, oldest first; white space within a key carries no meaning to mongod.
pub fn keys(text: &Password) -> Vec<Password> {
    let list: Vec<String> = serde_saphyr::from_str(text.expose()).unwrap_or_default();
    let texts = if list.is_empty() { vec![text.expose().to_owned()] } else { list };
    texts.into_iter().map(|key| Password::new(key.split_whitespace().collect::<String>())).collect()
}

/// A keyfile that holds both keys.
pub fn both(old: &Password, new: &Password) -> Password {
    Password::new(format!("- {}\n- {}\n", old.expose(), new.expose()))
}

/// What decides about the next keyfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The keyfile's text as its Secret holds it.
    pub text: Password,
    /// Value of the request that was served last; none before the first.
    pub served: Option<String>,
    /// Value of the request as the cluster's annotation has it.
    pub requested: Option<String>,
    /// Whether every member runs with this very keyfile and the set is whole; if not, why.
    pub in_use: Result<(), String>,
    /// A member that does not accept the newest key of the file.
    pub refusing: Option<String>,
}

/// The keyfile that the Secret shall hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyfile {
    /// Its text.
    pub text: Password,
    /// Value of the request it serves.
    pub served: Option<String>,
    /// What the next phase waits for; none when none is to come.
    pub waits: Option<String>,
}

/// The next keyfile: it changes only when every member runs with the one before, so a crash at any
/// point leaves members with a key in common, and the file itself says which phase it is.
pub fn next(situation: &Situation, fresh: &Password) -> Keyfile {
    let Situation { text, served, requested, in_use, refusing } = situation;
    let stay = |waits| Keyfile { text: text.clone(), served: served.clone(), waits };
    let keys = keys(text);
    match (keys.as_slice(), in_use) {
        ([_, _], Err(why)) => stay(Some(format!("keyfile rotation, phase 1 of 2 (both keys): {why}"))),
        ([_, new], Ok(())) => match refusing {
            Some(member) => {
                stay(Some(format!("keyfile rotation, phase 1 of 2: {member} does not accept the new key")))
            }
            None => Keyfile { text: new.clone(), served: served.clone(), waits: None },
        },
        ([_], _) if requested.is_none() || requested == served => stay(None),
        ([_], Err(why)) => stay(Some(format!("the keyfile is rotated later: {why}"))),
        ([old], Ok(())) => Keyfile { text: both(old, fresh), served: requested.clone(), waits: None },
        // Nothing of ours: mongod refuses such a file, and its pods say so.
        _ => stay(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(text: &str, served: Option<&str>, requested: Option<&str>) -> Situation {
        Situation {
            text: Password::new(text),
            served: served.map(str::to_owned),
            requested: requested.map(str::to_owned),
            in_use: Ok(()),
            refusing: None,
        }
    }

    fn after(situation: &Situation) -> (String, Option<String>, Option<String>) {
        let Keyfile { text, served, waits } = next(situation, &Password::new("new"));
        (text.expose().to_owned(), served, waits)
    }

    #[test]
    fn one_key_is_a_text_and_two_are_a_list() {
        let read = |text: &str| -> Vec<String> {
            keys(&Password::new(text)).iter().map(|key| key.expose().to_owned()).collect()
        };
        assert_eq!(read("ab\nc=\n"), ["abc="]);
        assert_eq!(read("- ab\n- c+/=\n"), ["ab", "c+/="]);
        assert_eq!(read("- 'a\n  b'\n- \"c\"\n"), ["ab", "c"]);
        assert_eq!(read(both(&Password::new("x1"), &Password::new("y2")).expose()), ["x1", "y2"]);
    }

    #[test]
    fn a_keyfile_stays_as_long_as_nobody_asks() {
        assert_eq!(after(&situation("old", None, None)), ("old".to_owned(), None, None));
    }

    #[test]
    fn a_request_that_was_served_does_nothing_when_it_is_applied_again_or_taken_away() {
        for requested in [Some("monday".to_owned()), None] {
            let seen = Situation { requested, ..situation("key", Some("monday"), None) };
            assert_eq!(after(&seen), ("key".to_owned(), Some("monday".to_owned()), None));
        }
    }

    #[test]
    fn a_request_puts_the_new_key_beside_the_old_one_and_is_recorded_with_it() {
        let seen = situation("old", Some("monday"), Some("tuesday"));
        assert_eq!(after(&seen), ("- old\n- new\n".to_owned(), Some("tuesday".to_owned()), None));
    }

    #[test]
    fn neither_phase_begins_before_every_member_runs_with_the_keyfile_before() {
        for (text, served) in [("old", None), ("- old\n- young\n", Some("monday"))] {
            let mut seen = situation(text, served, Some("monday"));
            seen.in_use = Err("db-1 is not ready yet".to_owned());
            let (kept, still, waits) = after(&seen);
            assert_eq!((kept.as_str(), still.as_deref()), (text, served));
            assert!(waits.unwrap().contains("db-1 is not ready yet"));
        }
    }

    #[test]
    fn the_old_key_goes_only_when_every_member_was_logged_in_to_with_the_new_one() {
        let mut seen = situation("- old\n- young\n", Some("monday"), Some("monday"));
        seen.refusing = Some("db-2".to_owned());
        let (text, _, waits) = after(&seen);
        assert_eq!(text, "- old\n- young\n");
        assert!(waits.unwrap().contains("db-2 does not accept the new key"));
        seen.refusing = None;
        assert_eq!(after(&seen), ("young".to_owned(), Some("monday".to_owned()), None));
    }

    #[test]
    fn a_request_made_during_a_rotation_is_served_after_it() {
        let seen = situation("- old\n- young\n", Some("monday"), Some("tuesday"));
        let (text, served, _) = after(&seen);
        assert_eq!((text.as_str(), served.as_deref()), ("young", Some("monday")));
        let seen = situation("young", Some("monday"), Some("tuesday"));
        assert_eq!(after(&seen).0, "- young\n- new\n");
    }

    /// Members restart one by one, in any order, and the operator may look at any moment.
    #[test]
    fn members_have_a_key_in_common_at_every_moment_of_a_rotation() {
        let mut seen = situation("old", None, Some("monday"));
        let mut members = vec![seen.text.clone(); 3];
        let mut phases = 0;
        while seen.served.is_none()
            || keys(&seen.text).len() > 1
            || members.iter().any(|text| *text != seen.text)
        {
            seen.in_use = match members.iter().position(|text| *text != seen.text) {
                Some(behind) => Err(format!("db-{behind} runs another one")),
                None => Ok(()),
            };
            let next = next(&seen, &Password::new("new"));
            if next.text == seen.text {
                let behind = members.iter().rposition(|text| *text != seen.text).unwrap();
                members[behind] = seen.text.clone();
            } else {
                phases += 1;
            }
            (seen.text, seen.served) = (next.text, next.served);
            let first = keys(&members[0]);
            let common = |key: &&Password| members.iter().all(|text| keys(text).contains(key));
            assert!(first.iter().any(|key| common(&key)), "{members:?}");
        }
        assert_eq!((phases, seen.text.expose()), (2, "new"));
    }
}
