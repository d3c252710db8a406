//! What panics is a failure like any other: what it says goes into the failure's line.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

thread_local! {
    /// Where this thread has panicked.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs what may panic in places that [`caught`] tells of.
pub fn quietly<T>(run: impl FnOnce() -> T) -> T {
    panic::set_hook(Box::new(note));
    let outcome = run();
    let _ = panic::take_hook();
    outcome
}

fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|place| place.to_string());
    PLACE.with_borrow_mut(|known| *known = place.unwrap_or_default());
}

/// What `run` gives, or the line about its panic in the world `name`.
pub fn caught<T>(name: &str, run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let place = PLACE.with_borrow(String::clone);
        Err(format!(
            "{name}: panic at {place}: {}",
            message(panic.as_ref())
        ))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_a_name_and_a_place() {
        let outcome: Result<(), _> = quietly(|| caught("seed 4", || panic!("no {}", "way")));
        let line = outcome.unwrap_err();
        assert!(line.starts_with("seed 4: panic at src"), "{line}");
        assert!(line.ends_with(": no way"), "{line}");
        assert_eq!(caught("seed 5", || Ok(5)), Ok(5));
    }
}
