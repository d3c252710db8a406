use std::borrow::Cow;
use std::io;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness};
use proptest::prelude::*;

use super::*;

/// Number, link type, nanoseconds, original length, data.
type Seen = (u64, u16, Option<u64>, u32, Vec<u8>);

fn read(file: &[u8]) -> Result<Vec<Seen>, CaptureError> {
    read_from(file)
}

fn read_from(reader: impl Read) -> Result<Vec<Seen>, CaptureError> {
    let mut capture = CaptureReader::new(reader)?;
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame()? {
        frames.push((
            frame.number,
            frame.link_type.0,
            frame.timestamp.map(Instant::as_nanos),
            frame.original_len,
            frame.data.to_vec(),
        ));
    }
    Ok(frames)
}

/// Gives its bytes one at a time, as a slow pipe does.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

fn pcap(endianness: Endianness, ts_resolution: TsResolution) -> Vec<u8> {
    let header = PcapHeader {
        endianness,
        ts_resolution,
        datalink: DataLink::RAW,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for len in [1u8, 0, 40] {
        let data = vec![len; len.into()];
        let time = Duration::new(u64::from(len), 123_456_000);
        // One more on the wire than captured.
        writer
            .write_packet(&PcapPacket::new(time, u32::from(len) + 1, &data))
            .unwrap();
    }
    writer.into_writer()
}

fn block<B: ByteOrder>(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let mut block = vec![0; padded + 12];
    let len = u32::try_from(block.len()).unwrap();
    B::write_u32(&mut block, kind);
    B::write_u32(&mut block[4..], len);
    block[8..8 + body.len()].copy_from_slice(body);
    B::write_u32(&mut block[padded + 8..], len);
    block
}

fn section<B: ByteOrder>() -> Vec<u8> {
    let mut body = [0; 16];
    B::write_u32(&mut body, 0x1a2b_3c4d);
    B::write_u16(&mut body[4..], 1);
    block::<B>(0x0a0d_0d0a, &body)
}

fn interface<B: ByteOrder>(link_type: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 8];
    B::write_u16(&mut body, link_type);
    B::write_u32(&mut body[4..], snap_len);
    body.extend(options);
    block::<B>(1, &body)
}

fn option<B: ByteOrder>(code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = vec![0; 4 + value.len().next_multiple_of(4)];
    B::write_u16(&mut option, code);
    B::write_u16(&mut option[2..], value.len() as u16);
    option[4..4 + value.len()].copy_from_slice(value);
    option
}

fn packet<B: ByteOrder>(interface: u32, units: u64, original_len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 20];
    B::write_u32(&mut body, interface);
    B::write_u32(&mut body[4..], (units >> 32) as u32);
    B::write_u32(&mut body[8..], units as u32);
    B::write_u32(&mut body[12..], data.len() as u32);
    B::write_u32(&mut body[16..], original_len);
    body.extend(data);
    block::<B>(6, &body)
}

#[test]
fn pcap_in_both_byte_orders_and_resolutions() {
    let expected: Vec<Seen> = [(1, 1u8), (2, 0), (3, 40)]
        .into_iter()
        .map(|(number, len)| {
            let nanos = u64::from(len) * 1_000_000_000 + 123_456_000;
            let data = vec![len; len.into()];
            (number, 101, Some(nanos), u32::from(len) + 1, data)
        })
        .collect();
    for endianness in [Endianness::Big, Endianness::Little] {
        for resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
            let file = pcap(endianness, resolution);
            assert_eq!(read(&file).unwrap(), expected);
            assert_eq!(read_from(Dribble(&file)).unwrap(), expected);
        }
    }
}

#[test]
fn the_upper_half_of_a_link_type_is_not_part_of_it() {
    let mut file = pcap(Endianness::Little, TsResolution::MicroSecond);
    file[20..24].copy_from_slice(&0x3000_0071u32.to_le_bytes());
    assert_eq!(read(&file).unwrap()[0].1, 113);
}

/// The link type goes through an enumeration of `pcap-file` and back.
#[test]
fn no_link_type_is_lost() {
    for number in 0..1 << 16 {
        assert_eq!(u32::from(DataLink::from(number)), number);
    }
}

fn pcapng<B: ByteOrder>() -> Vec<u8> {
    let mut file = section::<B>();
    file.extend(interface::<B>(1, 0, &[]));
    // Nanoseconds, the option list without an end.
    file.extend(interface::<B>(113, 3, &option::<B>(9, &[9])));
    file.extend(packet::<B>(1, 7, 60, b"cooked"));
    file.extend(block::<B>(0x0000_0bad, b"of no interest"));
    file.extend(packet::<B>(0, 1 << 33, 3, b"eth"));
    // A simple packet: four bytes of three and padding.
    file.extend(block::<B>(3, &[[0; 4].as_slice(), b"abc"].concat()));
    let at = file.len() - 12;
    B::write_u32(&mut file[at..], 3);
    // An obsolete packet block: interface 1, 9 drops.
    let mut old = packet::<B>(0, 5, 2, b"ol");
    B::write_u32(&mut old, 2);
    B::write_u16(&mut old[8..], 1);
    B::write_u16(&mut old[10..], 9);
    file.extend(old);
    file
}

fn pcapng_frames(first: u64) -> Vec<Seen> {
    let micros = (1 << 33) * 1_000;
    vec![
        (first, 113, Some(7), 60, b"cooked".to_vec()),
        (first + 1, 1, Some(micros), 3, b"eth".to_vec()),
        (first + 2, 1, None, 3, b"abc".to_vec()),
        (first + 3, 113, Some(5), 2, b"ol".to_vec()),
    ]
}

#[test]
fn pcapng_with_sections_of_either_byte_order() {
    let file = [pcapng::<BigEndian>(), pcapng::<LittleEndian>()].concat();
    let expected = [pcapng_frames(1), pcapng_frames(5)].concat();
    assert_eq!(read(&file).unwrap(), expected);
    assert_eq!(read_from(Dribble(&file)).unwrap(), expected);
}

#[test]
fn a_simple_packet_ends_at_the_snap_length() {
    let mut file = section::<BigEndian>();
    file.extend(interface::<BigEndian>(1, 6, &[]));
    file.extend(block::<BigEndian>(3, b"\0\0\0\x09frame of"));
    let frames = read(&file).unwrap();
    assert_eq!(frames, [(1, 1, None, 9, b"frame ".to_vec())]);
}

#[test]
fn the_clock_of_an_interface() {
    let instant = |unit: u8, offset: i64, units: u64| {
        let options = [
            option::<LittleEndian>(2, b"\xffnot a text"),
            option::<LittleEndian>(9, &[unit]),
            option::<LittleEndian>(14, &offset.to_le_bytes()),
        ];
        let mut file = section::<LittleEndian>();
        file.extend(interface::<LittleEndian>(1, 0, &options.concat()));
        file.extend(packet::<LittleEndian>(0, units, 0, b""));
        read(&file).unwrap()[0].2.unwrap()
    };
    assert_eq!(instant(0, 0, 3), 3_000_000_000);
    assert_eq!(instant(6, 0, 3), 3_000);
    assert_eq!(instant(12, 0, 3_500), 3);
    assert_eq!(instant(127, 0, u64::MAX - 1), 0);
    assert_eq!(instant(0x80 | 10, 0, 1536), 1_500_000_000);
    assert_eq!(instant(0xff, 0, u64::MAX), 0);
    assert_eq!(instant(9, 2, 1), 2_000_000_001);
    assert_eq!(instant(0, -2, 3), 1_000_000_000);
    assert_eq!(instant(0, -4, 3), 0);
    assert_eq!(instant(0, i64::MAX, u64::MAX), u64::MAX);
    assert_eq!(instant(0, i64::MIN, u64::MAX), u64::MAX);
}

#[test]
fn what_pcap_file_writes() {
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 100);
    interface
        .options
        .push(InterfaceDescriptionOption::IfTsResol(9));
    writer.write_block(&interface.into_block()).unwrap();
    let block = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::from_nanos(17),
        original_len: 1500,
        data: Cow::Borrowed(b"frame"),
        options: vec![],
    };
    writer.write_block(&block.into_block()).unwrap();
    let frames = read(&writer.into_inner()).unwrap();
    assert_eq!(frames, [(1, 1, Some(17), 1500, b"frame".to_vec())]);
}

/// Records of all sizes around that of the buffer, so that they straddle its end.
#[test]
fn records_longer_than_the_buffer() {
    let mut file = pcap(Endianness::Little, TsResolution::MicroSecond);
    file.truncate(24);
    let sizes = [100_000, 262_144, 262_129, 262_128, 1, 1 << 20, 5, 300_000];
    for size in sizes {
        file.extend([0; 8]);
        file.extend((size as u32).to_le_bytes().repeat(2));
        file.extend((0..size).map(|at| at as u8));
    }
    let frames = read(&file).unwrap();
    assert_eq!(frames.len(), sizes.len());
    for (frame, size) in frames.iter().zip(sizes) {
        assert_eq!(frame.4.len(), size);
        assert!(
            frame
                .4
                .iter()
                .enumerate()
                .all(|(at, byte)| at as u8 == *byte)
        );
    }
}

fn error(file: &[u8]) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn errors_say_what_and_where() {
    assert_eq!(
        error(b""),
        "the file is empty, a capture begins with a header"
    );
    assert_eq!(
        error(b"\xd4\xc3"),
        "the file ends after 2 bytes of at least 24 (file header at byte 0)"
    );
    assert_eq!(
        error(b"GET / HTTP/1.1"),
        "begins with 47 45 54 20, a pcap begins with d4 c3 b2 a1 or a1 b2 c3 d4, \
         a pcapng with 0a 0d 0d 0a (file header at byte 0)"
    );
    let mut file = pcap(Endianness::Big, TsResolution::MicroSecond);
    assert_eq!(
        error(&file[..file.len() - 1]),
        "the file ends after 55 bytes of at least 56 (record at byte 57, frame 3)"
    );
    file[24 + 8] = 0xff;
    assert_eq!(
        error(&file),
        "record length 4278190081, 0 to 16777216 can be right (record at byte 24, frame 1)"
    );

    let mut file = section::<LittleEndian>();
    file.extend(packet::<LittleEndian>(2, 0, 0, b""));
    assert_eq!(
        error(&file),
        "interface 2, but none has been described (record at byte 28, frame 1)"
    );
    file[28 + 4] = 8;
    assert_eq!(
        error(&file),
        "record length 8, 12 to 16777216 can be right (record at byte 28, frame 1)"
    );
}

#[test]
fn interfaces_without_end_are_refused() {
    let mut file = section::<LittleEndian>();
    file.extend(interface::<LittleEndian>(1, 0, &[]).repeat((1 << 16) + 1));
    let error = read(&file).unwrap_err();
    assert!(matches!(error.kind, CaptureErrorKind::Malformed(_)));
}

#[test]
fn a_cut_file_is_an_error_everywhere_but_between_records() {
    let file = pcap(Endianness::Little, TsResolution::MicroSecond);
    let whole = [24, 24 + 17, 24 + 17 + 16, file.len()];
    for len in 0..=file.len() {
        assert_eq!(read(&file[..len]).is_ok(), whole.contains(&len), "{len}");
    }
    let file = pcapng::<LittleEndian>();
    let mut whole = vec![];
    let mut at = 0;
    while at < file.len() {
        at += LittleEndian::read_u32(&file[at + 4..]) as usize;
        whole.push(at);
    }
    for len in 0..=file.len() {
        assert_eq!(read(&file[..len]).is_ok(), whole.contains(&len), "{len}");
    }
}

proptest! {
    #[test]
    fn noise_is_read_without_panic(
        magic in prop::sample::select(vec![0xa1b2_c3d4u32, 0x4d3c_b2a1, 0x0a0d_0d0a]),
        noise in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut file = magic.to_be_bytes().to_vec();
        file.extend(noise);
        let _ = read(&file);
    }

    #[test]
    fn one_wrong_byte_is_read_without_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = [pcapng::<BigEndian>(), pcapng::<LittleEndian>()].concat();
        let at = at.index(file.len());
        file[at] = byte;
        let _ = read(&file);
    }
}
