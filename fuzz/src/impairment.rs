//! What a bad network does, in writing: no text brings the parser down, and what one says is
//! what its written form says.

use std::time::Duration;

use zerotcp::device::Impairment;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let impairment: Impairment = match text.parse() {
        Ok(impairment) => impairment,
        Err(error) => {
            // One line for a terminal, whatever the text was.
            let line = format!("{error}");
            assert!(!line.is_empty() && line.len() < 1000 && !line.contains(char::is_control));
            return;
        }
    };
    let Impairment {
        loss,
        reorder,
        duplicate,
        corrupt,
        delay,
        ..
    } = impairment;
    for probability in [loss, reorder, duplicate, corrupt] {
        assert!((0.0..=1.0).contains(&probability), "{text}");
    }
    assert!(delay <= Duration::from_secs(3600), "{text}");
    let written = impairment.to_string();
    assert_eq!(written.parse(), Ok(impairment), "{text}, {written}");
    // In any order.
    let settings: Vec<&str> = text.split(',').rev().collect();
    assert_eq!(settings.join(",").parse(), Ok(impairment), "{text}");
}
