use std::num::NonZeroU64;
use std::time::Duration;

use super::*;
use crate::device::MemoryLink;
use crate::device::flood::Flood;

const NOW: Instant = Instant::ZERO;
const MTU: usize = 1500;

/// An impaired end and the plain one it talks to, with room for any number of packets.
fn link(impairment: Impairment) -> (Impaired<MemoryLink>, MemoryLink) {
    let (left, right) = MemoryLink::pair_with_queue(MTU, usize::MAX);
    (Impaired::new(left, impairment), right)
}

fn impairment(text: &str) -> Impairment {
    text.parse().unwrap()
}

fn receive(device: &mut impl Device, now: Instant) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MTU];
    let len = device.receive(now, &mut buffer).unwrap()?;
    buffer.truncate(len);
    Some(buffer)
}

fn receive_all(device: &mut impl Device, now: Instant) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| receive(device, now)).collect()
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// Sends `count` numbered packets at one time in each direction, lets time go on until
/// nothing is on its way, and returns the numbers that came (out of the device, into it).
fn exchange(impairment: Impairment, count: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut left, mut right) = link(impairment);
    for n in 0..count {
        left.transmit(NOW, &n.to_be_bytes()).unwrap();
        right.transmit(NOW, &n.to_be_bytes()).unwrap();
    }
    let (mut out, mut into) = (Vec::new(), Vec::new());
    let mut now = NOW;
    loop {
        into.extend(
            receive_all(&mut left, now)
                .iter()
                .map(|packet| number(packet)),
        );
        out.extend(
            receive_all(&mut right, now)
                .iter()
                .map(|packet| number(packet)),
        );
        match left.poll_timeout() {
            Some(due) => {
                assert!(due > now, "what is due was not done");
                now = due;
                left.handle_timeout(now).unwrap();
            }
            None => return (out, into),
        }
    }
}

#[test]
fn without_impairment_packets_pass_straight() {
    let (out, into) = exchange(Impairment::default(), 1000);
    let all: Vec<u32> = (0..1000).collect();
    assert_eq!(out, all);
    assert_eq!(into, all);
}

#[test]
fn the_seed_decides_everything() {
    let seeded = |seed| Impairment {
        seed,
        ..impairment("loss=5%,reorder=5%,duplicate=5%,corrupt=0%,delay=3ms,rate=10mbit,queue=5000")
    };
    assert_eq!(exchange(seeded(1), 2000), exchange(seeded(1), 2000));
    assert_ne!(exchange(seeded(1), 2000), exchange(seeded(2), 2000));
}

#[test]
fn the_directions_differ() {
    let (out, into) = exchange(impairment("loss=20%,seed=1"), 1000);
    assert_ne!(out, into);
}

#[test]
fn loss_comes_at_its_rate_and_is_counted() {
    let (mut left, mut right) = link(impairment("loss=2%,seed=11"));
    for n in 0..100_000u32 {
        left.transmit(NOW, &n.to_be_bytes()).unwrap();
        right.transmit(NOW, &n.to_be_bytes()).unwrap();
    }
    let out = receive_all(&mut right, NOW).len() as u64;
    let into = receive_all(&mut left, NOW).len() as u64;
    assert_eq!(left.outgoing().lost, 100_000 - out);
    assert_eq!(left.incoming().lost, 100_000 - into);
    // 2000 expected, standard deviation 44: this is five of them.
    for lost in [left.outgoing().lost, left.incoming().lost] {
        assert!((1780..=2220).contains(&lost), "{lost} of 100000 lost at 2%");
    }
}

#[test]
fn what_is_lost_at_a_low_rate_is_lost_at_a_higher_one() {
    let (low, _) = exchange(impairment("loss=5%,seed=4"), 2000);
    let (high, _) = exchange(impairment("loss=10%,reorder=0%,duplicate=0%,seed=4"), 2000);
    assert!(high.len() < low.len());
    assert!(high.iter().all(|n| low.contains(n)));
}

#[test]
fn reordering_needs_no_delay() {
    let (out, into) = exchange(impairment("reorder=10%,seed=2"), 2000);
    for arrived in [out, into] {
        let overtaken = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(overtaken > 100, "{overtaken} of 2000 overtaken at 10%");
        // One to four places late, or so: packets held back can wait for each other.
        for (place, &n) in arrived.iter().enumerate() {
            assert!(
                place.abs_diff(n as usize) <= 8,
                "packet {n} came at place {place}"
            );
        }
        let mut sorted = arrived;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..2000).collect::<Vec<u32>>());
    }
}

#[test]
fn a_reordered_packet_arrives_after_its_overtakers_at_once() {
    let (mut left, mut right) = link(impairment("reorder=20%,delay=1ms,seed=2"));
    let mut sent = 0u32;
    while left.outgoing().reordered == 0 {
        left.transmit(NOW, &sent.to_be_bytes()).unwrap();
        sent += 1;
    }
    let held_back = sent - 1;
    for n in sent..sent + 4 {
        left.transmit(NOW, &n.to_be_bytes()).unwrap();
    }
    let due = Instant::from_millis(1);
    left.handle_timeout(due).unwrap();
    let arrived: Vec<u32> = receive_all(&mut right, due)
        .iter()
        .map(|p| number(p))
        .collect();
    let place = arrived
        .iter()
        .position(|&n| n == held_back)
        .expect("it was not held any longer");
    let late = place - held_back as usize;
    assert!((1..=4).contains(&late), "{late} places late");
}

#[test]
fn a_reordered_packet_that_nothing_follows_is_only_late() {
    let (mut left, mut right) = link(impairment("reorder=100%,delay=1ms,rate=8mbit"));
    left.transmit(NOW, &[0; 1000]).unwrap();
    // 1 ms on the line, 1 ms on the way, then 10 ms and four times its time on the line.
    let due = Instant::from_millis(1 + 1 + 10 + 4);
    assert_eq!(left.poll_timeout(), Some(due));
    left.handle_timeout(due - Duration::from_nanos(1)).unwrap();
    assert_eq!(receive(&mut right, due), None);
    left.handle_timeout(due).unwrap();
    assert_eq!(receive(&mut right, due), Some(vec![0; 1000]));
    assert_eq!(left.poll_timeout(), None);
}

#[test]
fn without_reordering_order_is_kept() {
    for text in [
        "rate=1mbit,queue=2000",
        "delay=7ms",
        "rate=1gbit,delay=1us,queue=2000",
    ] {
        let (out, into) = exchange(impairment(text), 2000);
        let all: Vec<u32> = (0..2000).collect();
        assert_eq!(out, all, "{text}");
        assert_eq!(into, all, "{text}");
    }
}

#[test]
fn packets_leave_the_line_one_after_another() {
    // 1000 bytes at 8 Mbit/s are 1 ms on the line.
    let (mut left, mut right) = link(impairment("rate=8mbit,delay=10ms"));
    let at = Instant::from_millis;
    left.transmit(at(0), &[1; 1000]).unwrap();
    left.transmit(at(0), &[2; 500]).unwrap();
    // The line has been free for a while.
    left.transmit(at(5), &[3; 1000]).unwrap();
    let due = [
        (at(11), 1),
        (Instant::from_nanos(11_500_000), 2),
        (at(16), 3),
    ];
    for (due, first_byte) in due {
        assert_eq!(left.poll_timeout(), Some(due));
        left.handle_timeout(due).unwrap();
        assert_eq!(receive(&mut right, due).unwrap()[0], first_byte);
        assert_eq!(receive(&mut right, due), None);
    }
    assert_eq!(left.poll_timeout(), None);
}

#[test]
fn incoming_packets_fall_due_at_receive() {
    let (mut left, mut right) = link(impairment("delay=10ms"));
    right.transmit(NOW, b"packet").unwrap();
    assert_eq!(receive(&mut left, NOW), None);
    let due = left.poll_timeout().unwrap();
    assert_eq!(due, Instant::from_millis(10));
    left.handle_timeout(due).unwrap();
    assert_eq!(receive(&mut left, due).unwrap(), b"packet");
    assert_eq!(left.poll_timeout(), None);
}

#[test]
fn a_duplicate_is_sent_twice() {
    let (out, into) = exchange(impairment("duplicate=100%"), 3);
    assert_eq!(out, [0, 0, 1, 1, 2, 2]);
    assert_eq!(into, [0, 0, 1, 1, 2, 2]);
    let (mut left, mut right) = link(impairment("duplicate=100%,rate=8mbit"));
    left.transmit(NOW, &[0; 1000]).unwrap();
    for millis in [1, 2] {
        let due = Instant::from_millis(millis);
        assert_eq!(left.poll_timeout(), Some(due));
        left.handle_timeout(due).unwrap();
        assert_eq!(receive_all(&mut right, due).len(), 1);
    }
    assert_eq!(left.outgoing().duplicated, 1);
}

#[test]
fn corruption_flips_one_bit_anywhere() {
    let (mut left, mut right) = link(impairment("corrupt=100%,seed=5"));
    let mut flipped = [0u32; 40 * 8];
    for _ in 0..10_000 {
        left.transmit(NOW, &[0; 40]).unwrap();
        right.transmit(NOW, &[0; 40]).unwrap();
        for packet in [
            receive(&mut right, NOW).unwrap(),
            receive(&mut left, NOW).unwrap(),
        ] {
            assert_eq!(packet.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
            let byte = packet.iter().position(|&byte| byte != 0).unwrap();
            flipped[byte * 8 + packet[byte].trailing_zeros() as usize] += 1;
        }
    }
    assert!(
        flipped.iter().all(|&count| count > 0),
        "every bit has its turn"
    );
    assert_eq!(left.outgoing().corrupted, 10_000);
    assert_eq!(left.incoming().corrupted, 10_000);
}

#[test]
fn an_empty_packet_has_no_bit_to_flip() {
    let (mut left, mut right) = link(impairment("corrupt=100%"));
    left.transmit(NOW, &[]).unwrap();
    assert_eq!(receive(&mut right, NOW), Some(vec![]));
    assert_eq!(left.outgoing().corrupted, 0);
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    // One packet is on the line and two wait for it.
    let (out, into) = exchange(impairment("rate=1mbit,queue=2"), 10);
    assert_eq!(out, [0, 1, 2]);
    assert_eq!(into, [0, 1, 2]);

    let (mut left, _right) = link(impairment("rate=8mbit,queue=2,delay=1s"));
    for _ in 0..10 {
        left.transmit(NOW, &[0; 1000]).unwrap();
    }
    assert_eq!(left.outgoing().overflowed, 7);
    // One has left the line since. It is on its way, and takes no room in the queue.
    for _ in 0..10 {
        left.transmit(Instant::from_millis(1), &[0; 1000]).unwrap();
    }
    assert_eq!(left.outgoing().overflowed, 7 + 9);
}

#[test]
fn packets_on_the_way_are_bounded() {
    for text in [
        "delay=1s",
        "delay=1s,reorder=100%,duplicate=100%,rate=9gbit,queue=1000000",
    ] {
        let (mut left, mut right) = link(impairment(text));
        for _ in 0..200_000 {
            left.transmit(NOW, &[0; 20]).unwrap();
        }
        let sent = 200_000 + left.outgoing().duplicated;
        let mut arrived = 0;
        while let Some(due) = left.poll_timeout() {
            left.handle_timeout(due).unwrap();
            arrived += receive_all(&mut right, due).len();
        }
        assert_eq!(arrived, 1 << 17);
        assert!(left.outgoing().overflowed >= sent - (1 << 17));
    }
}

#[test]
fn settings_beyond_all_reason_do_no_harm() {
    let (mut left, mut right) = link(Impairment {
        loss: f64::NAN,
        burst: f64::INFINITY,
        reorder: 7.0,
        reorder_delay: Duration::MAX,
        duplicate: f64::INFINITY,
        corrupt: -1.0,
        delay: Duration::MAX,
        jitter: Duration::MAX,
        rate: NonZeroU64::new(1),
        queue: usize::MAX,
        seed: u64::MAX,
    });
    for _ in 0..10 {
        left.transmit(Instant::FAR_FUTURE, &[0; MTU]).unwrap();
        right.transmit(NOW, &[0; MTU]).unwrap();
        receive_all(&mut left, Instant::FAR_FUTURE);
    }
    left.handle_timeout(Instant::FAR_FUTURE).unwrap();
    assert_eq!(receive_all(&mut right, Instant::FAR_FUTURE).len(), 20);
}

#[test]
fn an_impaired_device_can_be_impaired_again() {
    let (left, mut right) = MemoryLink::pair(MTU);
    let inner = Impaired::new(left, impairment("delay=2ms"));
    let mut outer = Impaired::new(inner, impairment("delay=3ms"));
    outer.transmit(NOW, b"packet").unwrap();
    for millis in [3, 5] {
        assert_eq!(receive(&mut right, NOW), None);
        let due = Instant::from_millis(millis);
        assert_eq!(outer.poll_timeout(), Some(due));
        outer.handle_timeout(due).unwrap();
    }
    assert_eq!(receive(&mut right, NOW).unwrap(), b"packet");
    assert_eq!(outer.poll_timeout(), None);
}

#[test]
fn a_flood_gives_the_caller_its_turn() {
    let mut lost = Impaired::new(Flood, impairment("loss=100%"));
    assert_eq!(receive(&mut lost, NOW), None);
    let mut delayed = Impaired::new(Flood, impairment("delay=1s"));
    assert_eq!(receive(&mut delayed, NOW), None);
}

/// Sends numbered packets of 20 bytes through `lane`, one each `interval`, and returns what
/// arrived: when, and its number.
fn through(lane: &mut Lane, count: u32, interval: Duration) -> Vec<(Instant, u32)> {
    let mut arrived = Vec::new();
    for n in 0..count {
        let now = NOW + interval * n;
        take_arrived(lane, now, &mut arrived);
        let mut packet = [0; 20];
        packet[..4].copy_from_slice(&n.to_be_bytes());
        lane.send(now, &packet);
    }
    take_arrived(lane, Instant::FAR_FUTURE, &mut arrived);
    arrived
}

/// Takes what arrives by `now`, each packet at its time and none before.
fn take_arrived(lane: &mut Lane, now: Instant, arrived: &mut Vec<(Instant, u32)>) {
    let mut buffer = [0; 20];
    let mut time = NOW;
    while let Some(due) = lane.poll_timeout().filter(|&due| due <= now) {
        if due > time {
            time = due - Duration::from_nanos(1);
            assert_eq!(lane.receive(time, &mut buffer), None);
        }
        time = due;
        assert!(lane.receive(due, &mut buffer).is_some(), "nothing is due");
        arrived.push((due, number(&buffer)));
    }
}

#[test]
fn losses_in_bursts_have_their_average_and_their_length() {
    const COUNT: u32 = 400_000;
    // What is asked for; then the mean length of a run of losses.
    let table = [
        ("loss=2%,burst=4,seed=1", 4.0),
        ("loss=10%,burst=10,seed=2", 10.0),
        ("loss=5%,burst=1,seed=3", 1.0),
        ("loss=0.5%,burst=2.5,seed=4", 2.5),
        // Independent losses follow each other, too.
        ("loss=20%,seed=5", 1.25),
        // Good runs of one packet, bad ones of nine: none shorter leave 10% of the packets.
        ("loss=90%,burst=2,seed=6", 9.0),
    ];
    for (text, mean) in table {
        let impairment = impairment(text);
        let mut lane = Lane::new(impairment);
        let arrived = through(&mut lane, COUNT, Duration::ZERO);
        let lost = f64::from(COUNT) - arrived.len() as f64;
        assert_eq!(lost as u64, lane.counters().lost);
        let gaps = arrived.windows(2).filter(|pair| pair[1].1 > pair[0].1 + 1);
        let runs = gaps.count() as f64;
        let share = lost / f64::from(COUNT) / impairment.loss;
        assert!((0.93..1.07).contains(&share), "{text}: {share} of the loss");
        let length = lost / runs / mean;
        assert!(
            (0.95..1.05).contains(&length),
            "{text}: runs of {length} of {mean}"
        );
    }
}

#[test]
fn bursts_end_with_the_loss() {
    let mut lane = Lane::new(impairment("loss=50%,burst=1000000,seed=2"));
    while lane.counters().lost == 0 {
        through(&mut lane, 1, Duration::ZERO);
    }
    lane.set_impairment(Impairment {
        burst: 1_000_000.0,
        ..Impairment::default()
    });
    assert_eq!(through(&mut lane, 1000, Duration::ZERO).len(), 1000);
    let mut lane = Lane::new(impairment("loss=100%,burst=4"));
    assert_eq!(through(&mut lane, 1000, Duration::ZERO), []);
}

#[test]
fn jitter_is_a_random_delay_that_keeps_the_order() {
    let jitter = Duration::from_millis(5);
    for (text, interval) in [
        ("delay=10ms,jitter=5ms,seed=1", Duration::ZERO),
        ("delay=10ms,jitter=5ms,seed=2", Duration::from_micros(300)),
        ("delay=10ms,jitter=5ms,seed=3", Duration::from_millis(20)),
        (
            "delay=10ms,jitter=5ms,rate=1gbit,queue=3000,seed=4",
            Duration::ZERO,
        ),
    ] {
        let mut lane = Lane::new(impairment(text));
        let arrived = through(&mut lane, 2000, interval);
        let numbers: Vec<u32> = arrived.iter().map(|&(_, number)| number).collect();
        assert_eq!(numbers, (0..2000).collect::<Vec<u32>>(), "{text}");
        if lane.impairment().rate.is_some() {
            continue;
        }
        let late: Vec<Duration> = arrived
            .iter()
            .map(|&(due, number)| due - (NOW + interval * number + lane.impairment().delay))
            .collect();
        assert!(late.iter().all(|&late| late <= jitter), "{text}");
        // Packets far apart don't wait for each other: they are half of it late on average.
        if interval > jitter {
            let mean = late.iter().sum::<Duration>().as_secs_f64() / 2000.0;
            assert!((0.0024..0.0026).contains(&mean), "{mean} s late");
        }
    }
}

#[test]
fn a_reorder_delay_needs_no_overtakers() {
    let mut lane = Lane::new(impairment(
        "reorder=10%,reorder-delay=5ms,delay=10ms,seed=1",
    ));
    let interval = Duration::from_micros(100);
    let arrived = through(&mut lane, 20_000, interval);
    assert_eq!(arrived.len(), 20_000);
    let late: Vec<Duration> = arrived
        .iter()
        .map(|&(due, number)| due - (NOW + interval * number + Duration::from_millis(10)))
        .filter(|late| !late.is_zero())
        .collect();
    assert_eq!(late.len() as u64, lane.counters().reordered);
    // 2000 expected, standard deviation 42.
    assert!((1790..2210).contains(&late.len()), "{} late", late.len());
    assert!(late.iter().all(|&late| late <= Duration::from_millis(5)));
    let mean = late.iter().sum::<Duration>().as_secs_f64() / late.len() as f64;
    assert!((0.0024..0.0026).contains(&mean), "{mean} s late");
}

#[test]
fn new_settings_neither_move_fates_nor_redraw_them() {
    // The draws of a packet are the same whatever the settings.
    let lost = |text: &str| -> Vec<u32> {
        let arrived = through(&mut Lane::new(impairment(text)), 2000, Duration::ZERO);
        let mut numbers: Vec<u32> = arrived.iter().map(|&(_, number)| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    assert_eq!(
        lost("loss=5%,seed=4"),
        lost("loss=5%,duplicate=9%,jitter=9ms,reorder=9%,reorder-delay=2ms,delay=1s,seed=4")
    );
}

#[test]
fn settings_change_from_the_next_packet_on() {
    let mut lane = Lane::new(impairment("delay=10ms,rate=8mbit,seed=1"));
    lane.send(NOW, &[1; 1000]);
    lane.send(NOW, &[2; 1000]);
    let seeded = impairment("delay=1ms,rate=80mbit,queue=1,seed=2");
    lane.set_impairment(seeded);
    assert_eq!(*lane.impairment(), Impairment { seed: 1, ..seeded });
    // The line is taken until 2 ms, and then 0.1 ms by this packet; its way is shorter.
    lane.send(Instant::from_millis(1), &[3; 1000]);
    // One is on the line, one waits: that is a full queue.
    lane.send(Instant::from_millis(1), &[4; 1000]);
    assert_eq!(lane.counters().overflowed, 1);
    let mut buffer = [0; MTU];
    for (micros, first) in [(3_100, 3), (11_000, 1), (12_000, 2)] {
        let due = Instant::from_nanos(micros * 1000);
        assert_eq!(lane.poll_timeout(), Some(due));
        assert_eq!(lane.receive(due, &mut buffer), Some(1000));
        assert_eq!(buffer[0], first);
    }
    lane.set_impairment(impairment("loss=100%"));
    lane.send(NOW, b"packet");
    assert_eq!(lane.poll_timeout(), None);
}

#[test]
fn a_packet_is_cut_at_the_receivers_end() {
    let mut lane = Lane::new(Impairment::default());
    lane.send(NOW, &[1; 1000]);
    let mut buffer = [0; 100];
    assert_eq!(lane.receive(NOW, &mut buffer), Some(100));
    assert_eq!(lane.receive(NOW, &mut buffer), None);
}
