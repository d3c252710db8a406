//! Characters without end, RFC 864.

use zerotcp::stack::{ConnectionId, SocketError, Stack};

use super::session::{Progress, discard};

/// The printable ASCII characters, space to tilde: the ring that the lines are cut from.
const RING: usize = 95;
/// Characters on a line, besides CR and LF.
const COLUMNS: usize = 72;
/// A line with its end.
const LINE: usize = COLUMNS + 2;

/// The pattern until it repeats: one line from each place in the ring.
static PATTERN: [u8; RING * LINE] = pattern();

/// A connection that is sent characters until its peer closes. What comes from it is thrown
/// away.
#[derive(Debug, Default)]
pub struct Chargen {
    /// The place in the pattern of what is sent next.
    next: usize,
}

impl Chargen {
    /// Sends what fits.
    pub fn advance(
        &mut self,
        stack: &mut Stack,
        id: ConnectionId,
    ) -> Result<Progress, SocketError> {
        if discard(stack, id) == Progress::Done {
            return Ok(Progress::Done);
        }
        loop {
            match stack.send(id, &PATTERN[self.next..]) {
                Ok(count) => self.next = (self.next + count) % PATTERN.len(),
                Err(SocketError::WouldBlock) => return Ok(Progress::Open),
                Err(error) => return Err(error),
            }
        }
    }
}

const fn pattern() -> [u8; RING * LINE] {
    let mut pattern = [0; RING * LINE];
    let mut at = 0;
    while at < pattern.len() {
        let (line, column) = (at / LINE, at % LINE);
        pattern[at] = match column {
            // Below 95, so a byte.
            0..COLUMNS => b' ' + ((line + column) % RING) as u8,
            COLUMNS => b'\r',
            _ => b'\n',
        };
        at += 1;
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_rotate_by_one_character() {
        let text = str::from_utf8(&PATTERN).unwrap();
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 95);
        assert_eq!(
            lines[0],
            r##" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg"##
        );
        assert_eq!(
            lines[94],
            r##"~ !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdef"##
        );
        for pair in lines.windows(2) {
            assert_eq!(pair[0].len(), 72);
            assert_eq!(pair[0][1..], pair[1][..71]);
        }
    }
}
