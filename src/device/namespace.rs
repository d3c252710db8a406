//! A network of one's own.

use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use crate::device::Interface;

/// Moves the calling thread into a new network namespace, where there is nothing but
/// `lo`, and brings that up. What is done to interfaces there leaves the machine's
/// own network alone, and all of it is gone when the last thread in it ends.
///
/// Only the calling thread moves, and threads and programs started from it follow. Root
/// (`CAP_SYS_ADMIN`) is not needed where the machine lets users have namespaces; but then
/// the process must have no other threads yet, and becomes a user without name.
///
/// # Errors
/// One line that says what the machine forbids and what may help.
pub fn enter_private_network() -> io::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        // Inside a user namespace of one's own, one has all rights over the network in it.
        Err(Errno::EPERM) => unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET),
        result => result,
    }
    .map_err(explain)?;

    Interface::named("lo")?
        .bring_up()
        .map_err(|error| match error.kind() {
            // A security module may let a user have the namespace and yet no rights in it.
            io::ErrorKind::PermissionDenied => explain(Errno::EPERM),
            _ => error,
        })
}

fn explain(errno: Errno) -> io::Error {
    let advice = match errno {
        Errno::EPERM => {
            "this machine forbids it to ordinary users: run as root, or allow user namespaces \
             (`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` or \
             `sudo sysctl kernel.unprivileged_userns_clone=1`, whichever exists)"
        }
        Errno::EINVAL => {
            "the process has other threads already, or the kernel has no user namespaces: run as \
             root"
        }
        Errno::ENOSPC | Errno::EUSERS => {
            "there are as many namespaces as this machine allows: raise `sysctl \
             user.max_user_namespaces` and `user.max_net_namespaces`, or run as root"
        }
        other => other.desc(),
    };
    let kind = io::Error::from(errno).kind();
    io::Error::new(kind, format!("cannot enter a private network: {advice}"))
}
