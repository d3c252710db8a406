//! What comes is sent back, RFC 862.

use zerotcp::stack::{ConnectionId, SocketError, Stack};

use super::session::Progress;

/// Sends back what has come, as much as the connection takes: what it does not take stays
/// unread, which closes the peer's window. After the peer's FIN and the last byte it is done.
pub fn advance(
    stack: &mut Stack,
    id: ConnectionId,
    scratch: &mut [u8],
) -> Result<Progress, SocketError> {
    loop {
        // One byte even if there is no room: what send does not take makes it say when there is.
        let wanted = stack.send_room(id).clamp(1, scratch.len());
        let count = peek(stack.recv_slices(id), &mut scratch[..wanted]);
        if count == 0 {
            return Ok(match stack.is_at_end(id) {
                true => Progress::Done,
                false => Progress::Open,
            });
        }
        match stack.send(id, &scratch[..count]) {
            Ok(sent) => stack.consume(id, sent),
            Err(SocketError::WouldBlock) => return Ok(Progress::Open),
            Err(error) => return Err(error),
        }
    }
}

/// Copies the start of `unread` into `out`, and says how much.
fn peek(unread: [&[u8]; 2], out: &mut [u8]) -> usize {
    let mut filled = 0;
    for slice in unread {
        let count = slice.len().min(out.len() - filled);
        out[filled..filled + count].copy_from_slice(&slice[..count]);
        filled += count;
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peek_crosses_from_slice_to_slice() {
        let mut out = [0; 6];
        assert_eq!(peek([b"abcd", b"efgh"], &mut out), 6);
        assert_eq!(&out, b"abcdef");
        assert_eq!(peek([b"xy", b"z"], &mut out), 3);
        assert_eq!(&out, b"xyzdef");
        assert_eq!(peek([b"longer than six", b"more"], &mut out), 6);
        assert_eq!(&out, b"longer");
        assert_eq!(peek([b"", b""], &mut out), 0);
    }
}
