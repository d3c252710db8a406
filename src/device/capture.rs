//! A device whose packets are written to a capture file.

use std::io::{self, BufWriter, Write};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use byteorder::LittleEndian;
use pcap_file::pcap::{PcapHeader, PcapPacket};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use crate::device::Device;
use crate::time::Instant;

/// The longest packet that is written whole: the longest that IPv4 allows.
const SNAP_LENGTH: u32 = 65_535;

/// A device that writes every packet it carries, in both directions, as a
/// capture file (pcap with nanoseconds, link type RAW, which is IP without a link
/// header).
///
/// A file that can't be written (a full disk) must not stop the traffic: after the
/// first error packets are carried on but no longer written, and
/// [`flush`](Captured::flush) and [`finish`](Captured::finish) report it. What is
/// dropped without `finish` is written as far as it will go, without a word.
#[derive(Debug)]
pub struct Captured<D, W: Write> {
    device: D,
    writer: BufWriter<W>,
    epoch: Duration,
    /// The first error, until it is reported.
    error: Option<io::Error>,
    broken: bool,
}

impl<D: Device, W: Write> Captured<D, W> {
    /// Captures what `device` carries into `writer`, which is buffered here.
    ///
    /// `epoch` is the Unix time of [`Instant::ZERO`]: packets are stamped with
    /// `epoch` plus the instant they were carried at.
    ///
    /// # Errors
    /// The file header can't be written.
    pub fn new(device: D, writer: W, epoch: Duration) -> io::Result<Captured<D, W>> {
        let mut writer = BufWriter::new(writer);
        let header = PcapHeader {
            snaplen: SNAP_LENGTH,
            datalink: DataLink::RAW,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        header.write_to(&mut writer).map_err(io_error)?;
        Ok(Captured {
            device,
            writer,
            epoch,
            error: None,
            broken: false,
        })
    }

    /// Writes out what is buffered, so that a reader of the file sees it.
    ///
    /// # Errors
    /// The first error since the last report; the capture ends where it struck.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.broken
            && let Err(error) = self.writer.flush()
        {
            self.fail(error);
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// Writes out what is buffered, ends the capture and gives the device back.
    ///
    /// # Errors
    /// As [`flush`](Captured::flush).
    pub fn finish(mut self) -> io::Result<D> {
        self.flush()?;
        Ok(self.device)
    }

    /// The device whose packets are captured.
    pub fn device(&self) -> &D {
        &self.device
    }

    fn record(&mut self, now: Instant, packet: &[u8]) {
        if self.broken {
            return;
        }
        let timestamp = self.epoch.saturating_add(now - Instant::ZERO);
        let original_len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let written_len = packet.len().min(SNAP_LENGTH as usize);
        let written = PcapPacket::new(timestamp, original_len, &packet[..written_len])
            .write_to::<_, LittleEndian>(&mut self.writer, TsResolution::NanoSecond, SNAP_LENGTH);
        if let Err(error) = written {
            self.fail(io_error(error));
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.broken = true;
        self.error = Some(error);
    }
}

impl<D: Device, W: Write> Device for Captured<D, W> {
    fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let received = self.device.receive(now, buffer)?;
        if let Some(len) = received {
            self.record(now, &buffer[..len]);
        }
        Ok(received)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> io::Result<()> {
        self.device.transmit(now, packet)?;
        self.record(now, packet);
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.device.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> io::Result<()> {
        self.device.handle_timeout(now)
    }

    fn mtu(&self) -> usize {
        self.device.mtu()
    }
}

#[cfg(unix)]
impl<D: AsFd, W: Write> AsFd for Captured<D, W> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        // A timestamp past 2106, the end of pcap's 32-bit seconds.
        other => io::Error::new(io::ErrorKind::InvalidInput, other),
    }
}

#[cfg(test)]
mod tests {
    use pcap_file::pcap::PcapReader;

    use super::*;
    use crate::device::MemoryLink;

    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn what_is_carried_can_be_read_back() {
        let (left, mut right) = MemoryLink::pair(70_000);
        let mut file = Vec::new();
        let mut captured = Captured::new(left, &mut file, EPOCH).unwrap();
        let long = vec![0x45; 65_536];

        captured.transmit(Instant::from_nanos(1), b"out").unwrap();
        right.transmit(Instant::ZERO, b"in").unwrap();
        let mut buffer = [0; 100];
        assert_eq!(
            captured
                .receive(Instant::from_millis(1500), &mut buffer)
                .unwrap(),
            Some(2)
        );
        assert_eq!(
            captured
                .receive(Instant::from_millis(1501), &mut buffer)
                .unwrap(),
            None
        );
        captured
            .transmit(Instant::from_millis(2000), &long)
            .unwrap();
        captured.finish().unwrap();

        let mut reader = PcapReader::new(file.as_slice()).unwrap();
        assert_eq!(reader.header().datalink, DataLink::RAW);
        assert_eq!(reader.header().ts_resolution, TsResolution::NanoSecond);
        let expected = [
            (EPOCH + Duration::from_nanos(1), 3, b"out".as_slice()),
            (EPOCH + Duration::from_millis(1500), 2, b"in"),
            (EPOCH + Duration::from_millis(2000), 65_536, &long[..65_535]),
        ];
        for (timestamp, original_len, data) in expected {
            let packet = reader.next_raw_packet().unwrap().unwrap();
            assert_eq!(
                Duration::new(packet.ts_sec.into(), packet.ts_frac),
                timestamp
            );
            assert_eq!(packet.orig_len, original_len);
            assert_eq!(&*packet.data, data);
        }
        assert!(reader.next_raw_packet().is_none());
    }

    #[test]
    fn flush_makes_the_file_readable_while_the_capture_goes_on() {
        let (left, _right) = MemoryLink::pair(1500);
        let mut file = Vec::new();
        let mut captured = Captured::new(left, &mut file, EPOCH).unwrap();
        captured.transmit(Instant::ZERO, b"packet").unwrap();
        captured.flush().unwrap();
        assert_eq!(captured.writer.get_ref().len(), 24 + 16 + 6);
        captured.transmit(Instant::ZERO, b"another").unwrap();
    }

    /// Takes this many more bytes, then is full.
    #[derive(Debug)]
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let taken = data.len().min(self.0);
            self.0 -= taken;
            match taken {
                0 => Err(io::ErrorKind::StorageFull.into()),
                taken => Ok(taken),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_stops_the_capture_and_not_the_traffic() {
        let (left, mut right) = MemoryLink::pair(1500);
        let mut captured = Captured::new(left, Disk(10_000), EPOCH).unwrap();
        let mut buffer = [0; 1500];
        for n in 0..20 {
            captured.transmit(Instant::ZERO, &[n; 1500]).unwrap();
            assert_eq!(
                right.receive(Instant::ZERO, &mut buffer).unwrap(),
                Some(1500)
            );
            assert_eq!(buffer, [n; 1500]);
        }
        assert_eq!(
            captured.flush().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        captured.finish().expect("the error has been reported");
    }

    #[test]
    fn finish_reports_an_error_too() {
        let (left, _right) = MemoryLink::pair(1500);
        let mut captured = Captured::new(left, Disk(30), EPOCH).unwrap();
        captured.transmit(Instant::ZERO, &[0; 1500]).unwrap();
        assert_eq!(
            captured.finish().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }

    #[test]
    fn a_time_that_pcap_cannot_hold_is_an_error_and_no_panic() {
        let (left, mut right) = MemoryLink::pair(1500);
        let mut captured = Captured::new(left, Vec::new(), Duration::MAX).unwrap();
        captured.transmit(Instant::FAR_FUTURE, b"packet").unwrap();
        assert_eq!(right.receive(Instant::ZERO, &mut [0; 10]).unwrap(), Some(6));
        assert_eq!(
            captured.flush().unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
