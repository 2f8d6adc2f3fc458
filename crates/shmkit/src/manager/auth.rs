//! Challenges and their answers. Both sides know a key, and show it to each other without saying it.
//!
//! Python before 3.12 knows HMAC-MD5 alone: its challenges have 20 bytes, its answers 16. Later ones name the digest, as
//! `{sha256}`, in front of both, and answer what has no name as their predecessors do.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::Sha256;

use super::protocol;
use crate::{Error, Result};

pub(super) const WELCOME: &[u8] = b"#WELCOME#";
pub(super) const FAILURE: &[u8] = b"#FAILURE#";
const CHALLENGE: &[u8] = b"#CHALLENGE#";
const SHA256: &[u8] = b"{sha256}";
const MD5: &[u8] = b"{md5}";
const RANDOM: usize = 40;
const KEY: usize = 32;
/// A challenge of an older Python.
const OLD_CHALLENGE: usize = 20;
/// An answer of one.
const OLD_ANSWER: usize = 16;

fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Error::os(e.raw_os_error().unwrap_or(5), "getrandom"))?;
    Ok(bytes)
}

/// A key that nobody else has.
///
/// # Errors
/// Only if the system has no random numbers to give.
pub fn draw_key() -> Result<[u8; KEY]> {
    random()
}

/// A question that only who knows the key can answer.
#[derive(Debug, Clone)]
pub(super) struct Challenge(Vec<u8>);

impl Challenge {
    /// One that was never asked before.
    pub(super) fn new() -> Result<Self> {
        Ok(Challenge([SHA256, &random::<RANDOM>()?].concat()))
    }

    /// As it is sent.
    pub(super) fn message(&self) -> Vec<u8> {
        [CHALLENGE, &self.0].concat()
    }

    /// Whether this is the answer of somebody who knows the key.
    pub(super) fn is_answered_by(&self, answer: &[u8], key: &[u8]) -> bool {
        if answer.len() == OLD_ANSWER {
            verify::<Hmac<Md5>>(key, &self.0, answer)
        } else if let Some(mac) = answer.strip_prefix(SHA256) {
            verify::<Hmac<Sha256>>(key, &self.0, mac)
        } else {
            answer.strip_prefix(MD5).is_some_and(|mac| verify::<Hmac<Md5>>(key, &self.0, mac))
        }
    }
}

/// The answer to a challenge.
///
/// # Errors
/// `ERR_SHM_PROTOCOL` if it is none.
pub(super) fn answer(message: &[u8], key: &[u8]) -> Result<Vec<u8>> {
    let challenge = message
        .strip_prefix(CHALLENGE)
        .filter(|challenge| challenge.len() >= OLD_CHALLENGE)
        .ok_or_else(|| protocol("what came is no challenge, so this is no manager of shared memory"))?;
    if challenge.len() == OLD_CHALLENGE {
        return Ok(mac::<Hmac<Md5>>(key, challenge));
    }
    if challenge.starts_with(SHA256) {
        return Ok([SHA256, &mac::<Hmac<Sha256>>(key, challenge)].concat());
    }
    if challenge.starts_with(MD5) {
        return Ok([MD5, &mac::<Hmac<Md5>>(key, challenge)].concat());
    }
    Err(protocol("the challenge is for a digest that is not supported; there are sha256 and md5"))
}

/// All of a challenge is signed, the digest's name too: nobody in between can have it be a weaker one.
fn signed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Option<M> {
    // A key of any length is good for an HMAC.
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    signed::<M>(key, message).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// Compared in constant time, and to its full length.
fn verify<M: Mac + KeyInit>(key: &[u8], message: &[u8], expected: &[u8]) -> bool {
    signed::<M>(key, message).is_some_and(|mac| mac.verify_slice(expected).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn answers_are_those_of_python() {
        // hmac.new(b'key', b'{sha256}' + b'm' * 40, 'sha256'), and hmac.new(b'key', b'm' * 20, 'md5')
        let new = [CHALLENGE, SHA256, &[b'm'; 40]].concat();
        let answered = answer(&new, b"key").expect("a challenge");
        let mac = answered.strip_prefix(SHA256).expect("named");
        assert_eq!(hex(mac), "500576bc6ee447122f1d1aeee9a740cb6b0f07807901c82bd5bcf329970c43ba");
        let old = [CHALLENGE, &[b'm'; 20]].concat();
        assert_eq!(hex(&answer(&old, b"key").expect("a challenge")), "f289c195d9689ac092638129c14e0b67");
    }

    #[test]
    fn only_who_knows_the_key_can_answer() {
        let challenge = Challenge::new().expect("random");
        let answered = answer(&challenge.message(), b"key").expect("a challenge");
        assert!(challenge.is_answered_by(&answered, b"key"));
        assert!(!challenge.is_answered_by(&answered, b"kez"));
        assert!(!Challenge::new().expect("random").is_answered_by(&answered, b"key"), "a replay");
        // An old Python signs the same challenge, its prefix too, with MD5.
        let old = mac::<Hmac<Md5>>(b"key", &challenge.0);
        assert!(challenge.is_answered_by(&old, b"key"));
        assert!(challenge.is_answered_by(&[MD5, &old].concat(), b"key"));
        assert!(!challenge.is_answered_by(&old, b"kez"));
        // Cut, longer, of another digest, and the challenge itself.
        for wrong in [
            &answered[..answered.len() - 1],
            &[&answered[..], b"x"].concat(),
            b"",
            SHA256,
            MD5,
            &old[..15],
            b"{sha384}x",
            &challenge.0,
            b"something bogus",
        ] {
            assert!(!challenge.is_answered_by(wrong, b"key"), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_no_challenge_is_refused() {
        let unknown = [CHALLENGE, b"{sha3_256}", &[0; 40]].concat();
        for wrong in
            [&b""[..], b"something bogus", CHALLENGE, b"#CHALLENGE#nineteen bytes only", WELCOME, &unknown]
        {
            assert_eq!(answer(wrong, b"key").expect_err("refused").code, "ERR_SHM_PROTOCOL");
        }
    }
}
