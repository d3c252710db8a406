//! One connection between the two hosts, over all its rounds.

use std::net::SocketAddrV4;

use super::patience::Patience;
use super::scenario::ADDRESSES;
use super::user::{Parting, Plan, User};
use super::wire::Wire;
use crate::simulation::Broken;
use crate::simulation::broken::ensure;
use crate::simulation::model::Model;
use crate::simulation::resets::Resets;
use crate::stack::Quad;
use crate::tcp::{CloseReason, Config, Settings};
use crate::time::Instant;

/// The port that host 1 listens to.
pub(super) const PORT: u16 = 7;

/// The port of the first talk's client.
const FIRST_PORT: u16 = 1024;

/// One connection at a time between two ports, one of each host: host 0 opens it, or both do.
#[derive(Debug)]
pub(super) struct Talk {
    port: u16,
    pub(super) users: [User; 2],
    /// What each host has sent of the connection that there is.
    pub(super) wires: [Wire; 2],
    /// What each host should know of what it has sent; none where it was told things that
    /// nobody else has heard.
    pub(super) models: [Option<Model>; 2],
    /// How long each host has waited for the other.
    pub(super) patience: [Patience; 2],
    /// Whether each host has given the connection up, and had waited for long enough.
    pub(super) gave_up: [bool; 2],
    /// What each host may reset.
    pub(super) resets: [Resets; 2],
    /// Whether this host's user may have been told of a reset in place of the end.
    excused: [bool; 2],
    /// How the round ends proves nothing any more.
    pub(super) spoilt: bool,
    /// What each host's clock showed when this round began.
    pub(super) opened: [Instant; 2],
    /// How many rounds are still to come.
    pub(super) rounds: usize,
}

impl Talk {
    pub(super) fn new(number: usize, rounds: usize, plans: [Plan; 2]) -> Talk {
        Talk {
            port: FIRST_PORT + number as u16,
            users: users(number, rounds, plans),
            wires: Default::default(),
            models: [0, 1].map(|_| Some(Model::new())),
            patience: Default::default(),
            gave_up: [false; 2],
            resets: Default::default(),
            excused: [false; 2],
            spoilt: false,
            opened: [Instant::ZERO; 2],
            rounds,
        }
    }

    /// Its number, by a port that occurs in its packets.
    pub(super) fn number(ports: [u16; 2]) -> Option<usize> {
        let port = ports.into_iter().find(|port| *port != PORT)?;
        port.checked_sub(FIRST_PORT).map(usize::from)
    }

    /// The address and port of this host's end.
    pub(super) fn end(&self, host: usize) -> SocketAddrV4 {
        SocketAddrV4::new(ADDRESSES[host], [self.port, PORT][host])
    }

    /// How this host knows the connection.
    pub(super) fn quad(&self, host: usize) -> Quad {
        let (local, peer) = (self.end(host), self.end(1 - host));
        Quad {
            src: (*peer.ip(), peer.port()),
            dst: (*local.ip(), local.port()),
        }
    }

    /// Another round with other users.
    pub(super) fn begin_round(&mut self, number: usize, plans: [Plan; 2]) {
        self.users = users(number, self.rounds, plans);
        self.models = [0, 1].map(|_| Some(Model::new()));
        self.excused = [false; 2];
        self.gave_up = [false; 2];
        self.spoilt = false;
    }

    /// By what this host's end is run, where connections of the host's begin with `config`.
    pub(super) fn settings(&self, host: usize, config: &Config) -> Settings {
        let user = &self.users[host];
        let own = user.plan.settings.filter(|_| user.id.is_some());
        own.unwrap_or(config.settings)
    }

    /// Whether both users stay until all is said and read.
    fn is_gentle(&self) -> bool {
        let stays = |user: &User| matches!(user.plan.parting, Parting::Gentle | Parting::Patient);
        self.users.iter().all(stays)
    }

    /// The connection of this host's user is over, in a world where nobody gives up.
    pub(super) fn check_closed(
        &mut self,
        host: usize,
        reason: CloseReason,
        short_time_wait: bool,
    ) -> Result<(), Broken> {
        let user = &self.users[host];
        let sent = user.sent == user.plan.to_send;
        if short_time_wait && sent && reason == CloseReason::Reset {
            // All has arrived, but what says so was lost until its peer had forgotten it.
            self.excused[host] = true;
            return Ok(());
        }
        let meant = reason == CloseReason::Finished || !self.is_gentle();
        ensure!(meant, "host {host}'s connection ends: {reason}");
        let patient = !matches!(reason, CloseReason::TimedOut | CloseReason::Unreachable);
        ensure!(patient, "host {host} gives up: {reason}");
        Ok(())
    }

    /// Whether a user who is still there, and is never told anything more, may be so for good
    /// reason: the other has parted without a word that arrived, or was told that there is nobody.
    pub(super) fn may_hang(&self, host: usize, patient: bool) -> bool {
        let other = &self.users[1 - host];
        let broke_off = !matches!(other.plan.parting, Parting::Gentle | Parting::Patient);
        (other.left || other.id.is_none()) && (broke_off || !patient || self.spoilt)
    }

    /// Both have parted, in a world where nobody gives up.
    pub(super) fn check_outcome(&self) -> Result<(), Broken> {
        for (host, user) in self.users.iter().enumerate() {
            let peer = &self.users[1 - host];
            // Who closes without a look misses what comes, but is heard by who only listens.
            let heard = peer.plan.parting == Parting::Hasty
                && user.id.is_some()
                && user.plan.to_send == 0
                && matches!(user.plan.parting, Parting::Gentle | Parting::Patient);
            if !self.is_gentle() && !heard {
                continue;
            }
            let (read, sent) = (user.read, peer.plan.to_send);
            ensure!(
                read == sent && (user.at_end || self.excused[host]),
                "host {host} has read {read} octets of {sent}, at the end: {}",
                user.at_end
            );
        }
        Ok(())
    }
}

fn users(number: usize, round: usize, [a, b]: [Plan; 2]) -> [User; 2] {
    let salt = ((number * 4 + round) * 2) as u32;
    // Far apart, and no multiple of anything that sizes are.
    let salt = |host: u32| (salt + host).wrapping_mul(0x0100_4325);
    [User::new(a, salt(0)), User::new(b, salt(1))]
}
