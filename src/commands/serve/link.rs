//! The device that the server runs on.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::SystemTime;

use zerotcp::device::{Captured, Device, Impaired, Tun};

use crate::commands::Failure;
use crate::commands::serve::Args;

/// A TUN interface, wrapped in what the command line asks for.
pub trait Link: Device + AsFd {
    /// Ends it, and says if something got lost on the way to a file.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Wraps `tun` in what `args` ask for. The capture lies below the impairment: it
/// shows what was on the wire.
pub fn build(tun: Tun, args: &Args) -> Result<Box<dyn Link>, Failure> {
    let mut link: Box<dyn Link> = Box::new(tun);
    if let Some(path) = &args.capture {
        let explain = |error: io::Error| {
            let problem = match (error.kind(), path.parent()) {
                (io::ErrorKind::NotFound, Some(directory)) if !directory.is_dir() => {
                    format!("there is no directory {}", directory.display())
                }
                _ => error.to_string(),
            };
            Failure(format!("cannot write {}: {problem}", path.display()))
        };
        let file = File::create(path).map_err(explain)?;
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        link = Box::new(Captured::new(link, file, epoch).map_err(explain)?);
    }
    if let Some(impairment) = args.impair {
        link = Box::new(Impaired::new(link, impairment));
    }
    Ok(link)
}

impl Link for Tun {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Link for Captured<Box<dyn Link>, File> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let device = (*self).finish().map_err(|error| {
            io::Error::new(error.kind(), format!("the capture is cut short: {error}"))
        })?;
        device.finish()
    }
}

impl Link for Impaired<Box<dyn Link>> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.into_inner().finish()
    }
}
