//! Messages in a stream of bytes: a length, and so many bytes.

use super::protocol;
use crate::Result;

/// What has arrived and was not taken out yet.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Up to here it was taken out.
    from: usize,
}

impl Frames {
    /// Adds what arrived. A caller takes out what it can before it adds more, so that this stays short.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.from));
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, once all of it is there.
    ///
    /// # Errors
    /// `ERR_SHM_PROTOCOL` for one that is longer than `max`, as soon as its length is there.
    pub fn next(&mut self, max: usize) -> Result<Option<&[u8]>> {
        let rest = &self.bytes[self.from..];
        let Some((head, body)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = match usize::try_from(i32::from_be_bytes(*head)) {
            Ok(length) if length <= max => length,
            Ok(length) => {
                return Err(protocol(format!("a message of {length} bytes; {max} are the most here")));
            }
            // -1 says that the length comes in eight bytes, being 2 GB or more.
            Err(_) => {
                return Err(protocol(format!("a message of 2 GB or more; {max} bytes are the most here")));
            }
        };
        if body.len() < length {
            return Ok(None);
        }
        let start = self.from + head.len();
        self.from = start + length;
        Ok(Some(&self.bytes[start..self.from]))
    }

    /// Whether part of a message is there.
    pub fn is_within(&self) -> bool {
        self.from < self.bytes.len()
    }
}

/// The message, with its length before it.
pub fn frame(message: &[u8]) -> Vec<u8> {
    debug_assert!(i32::try_from(message.len()).is_ok(), "none of ours is as long");
    let mut framed = Vec::with_capacity(4 + message.len());
    framed.extend_from_slice(&(message.len() as i32).to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let sent: Vec<Vec<u8>> = [0, 1, 5, 256].map(|len| vec![7; len]).to_vec();
        let stream: Vec<u8> = sent.iter().flat_map(|message| frame(message)).collect();
        for step in [1, 2, 3, 4, 5, 100, stream.len()] {
            let (mut frames, mut got) = (Frames::default(), Vec::new());
            for piece in stream.chunks(step) {
                frames.push(piece);
                while let Some(message) = frames.next(256).expect("short enough") {
                    got.push(message.to_vec());
                }
            }
            assert_eq!(got, sent, "in pieces of {step}");
            assert!(!frames.is_within());
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_length_alone() {
        for head in [257i32, 1 << 30, i32::MAX, -1, i32::MIN] {
            let mut frames = Frames::default();
            frames.push(&head.to_be_bytes()[..3]);
            assert_eq!(frames.next(256).expect("not known yet"), None);
            assert!(frames.is_within());
            frames.push(&head.to_be_bytes()[3..]);
            assert_eq!(frames.next(256).expect_err("too long").code, "ERR_SHM_PROTOCOL");
        }
    }
}
