//! A web server with one page, HTTP/1.1 by RFC 9112.

mod message;

use zerotcp::stack::{ConnectionId, SocketError, Stack};

use super::session::{Progress, discard};
use message::{HEAD_MAX, Outcome};

/// Bytes of a request's body that are read and thrown away to keep the connection. Where more
/// are announced it is cheaper to close.
const BODY_MAX: u64 = 64 * 1024;

/// One client. Its requests are answered one after another, and the next is not looked at before
/// the last answer has gone to the stack: a client that does not read is not read.
///
/// Without a clock of its own it sends no `Date` (RFC 9110, section 6.6.1).
#[derive(Debug)]
pub struct Http {
    /// What has come and is not used up, [`HEAD_MAX`] at most.
    input: Vec<u8>,
    /// The answer that is being sent.
    output: Vec<u8>,
    /// How much of it has gone.
    sent: usize,
    /// What is left of the current request's body, in bytes.
    body_left: u64,
    stage: Stage,
    /// Whether there was a request since this was last asked.
    active: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are answered.
    Open,
    /// The current answer is the last.
    LastAnswer,
    /// Our side is closed. The client's input is thrown away until it closes too: to close with
    /// input unread would reset the connection, and could take the answer with it (RFC 9112,
    /// section 9.6).
    Lingering,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            body_left: 0,
            stage: Stage::Open,
            active: true,
        }
    }
}

impl Http {
    /// Whether the client is new or has made a request since this was last asked.
    pub fn was_active(&mut self) -> bool {
        std::mem::take(&mut self.active)
    }

    /// Answers what has come, as far as it goes.
    pub fn advance(
        &mut self,
        stack: &mut Stack,
        id: ConnectionId,
    ) -> Result<Progress, SocketError> {
        loop {
            if self.stage == Stage::Lingering {
                return Ok(discard(stack, id));
            }
            if !self.send_output(stack, id)? {
                return Ok(Progress::Open);
            }
            if self.stage == Stage::LastAnswer {
                stack.shutdown(id)?;
                self.stage = Stage::Lingering;
                continue;
            }
            self.skip_body();
            if self.body_left == 0 && self.answer() {
                continue;
            }
            match self.read(stack, id) {
                Ok(0) => return Ok(Progress::Done),
                Ok(_) => {}
                Err(SocketError::WouldBlock) => return Ok(Progress::Open),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what there is to send. Says whether all of it has gone.
    fn send_output(&mut self, stack: &mut Stack, id: ConnectionId) -> Result<bool, SocketError> {
        while self.sent < self.output.len() {
            match stack.send(id, &self.output[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(SocketError::WouldBlock) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(true)
    }

    fn skip_body(&mut self) {
        // Far below the limits of usize: the input is short.
        let count = self.body_left.min(self.input.len() as u64) as usize;
        self.input.drain(..count);
        self.body_left -= count as u64;
    }

    /// Answers the request at the front of the input, if it is all there.
    fn answer(&mut self) -> bool {
        let Outcome::Reply {
            reply,
            consumed,
            body_len,
        } = message::read(&self.input)
        else {
            return false;
        };
        self.input.drain(..consumed);
        let keeps_open = reply.keeps_open() && body_len <= BODY_MAX;
        reply.write(keeps_open, &mut self.output);
        self.active = true;
        if keeps_open {
            self.body_left = body_len;
        } else {
            self.stage = Stage::LastAnswer;
        }
        true
    }

    /// Reads what has come, as much as there is room for, and says how much; 0 for the end.
    fn read(&mut self, stack: &mut Stack, id: ConnectionId) -> Result<usize, SocketError> {
        let len = self.input.len();
        // Never without room: a head that fills it is answered, a body is thrown away.
        self.input.resize(HEAD_MAX, 0);
        let read = stack.recv(id, &mut self.input[len..]);
        self.input.truncate(len + *read.as_ref().unwrap_or(&0));
        read
    }
}
