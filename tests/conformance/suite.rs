//! What a test is and how it is run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use crate::Start;

/// A test and the requirements that it shows.
pub struct Test {
    /// The file it stands in.
    pub area: &'static str,
    pub name: &'static str,
    /// Identifiers of `requirements.tsv`, separated by spaces.
    shows: &'static str,
    body: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// The table at the head of an area: what is shown by which function.
macro_rules! tests {
    ($($shows:literal => $name:ident,)*) => {
        pub fn tests() -> Vec<$crate::Test> {
            vec![$($crate::Test::new(module_path!(), $shows, stringify!($name), $name)),*]
        }
    };
}
pub(crate) use tests;

/// A function that is a test: it takes nothing, or where to start.
pub trait Body<Arguments>: Send + Sync + 'static {
    fn run(&self) -> Result<(), String>;
}

impl<F: Fn() + Send + Sync + 'static> Body<()> for F {
    fn run(&self) -> Result<(), String> {
        catch(self)
    }
}

impl<F: Fn(Start) + Send + Sync + 'static> Body<(Start,)> for F {
    fn run(&self) -> Result<(), String> {
        Start::ALL.into_iter().try_for_each(|start| {
            let result = catch(|| self(start));
            result.map_err(|message| format!("{message}\nfrom {start:x?}"))
        })
    }
}

impl Test {
    pub fn new<Arguments>(
        module: &'static str,
        shows: &'static str,
        name: &'static str,
        body: impl Body<Arguments>,
    ) -> Test {
        Test {
            area: module.rsplit("::").next().unwrap_or(module),
            name,
            shows,
            body: Box::new(move || body.run()),
        }
    }

    /// What it shows, and the sentence that its name is.
    pub fn title(&self) -> String {
        format!("{} {}", self.shows, self.name)
    }

    /// The identifiers of what it shows.
    pub fn shows(&self) -> impl Iterator<Item = &'static str> {
        self.shows.split_ascii_whitespace()
    }

    pub fn run(&self) -> Result<(), String> {
        (self.body)()
    }
}

thread_local! {
    /// Where and why this thread panicked last.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on a panic says nothing: the report of the test does.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|message| *message = info.to_string());
    }));
}

fn catch(body: impl Fn()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|_| PANIC.with_borrow(Clone::clone))
}

/// Which tests have passed in this run.
#[derive(Default)]
pub struct Outcome {
    passed: Mutex<BTreeSet<usize>>,
}

impl Outcome {
    pub fn note_passed(&self, test: usize) {
        self.passed.lock().expect("no panic holds it").insert(test);
    }

    pub fn passed(&self, test: usize) -> bool {
        self.passed
            .lock()
            .expect("no panic holds it")
            .contains(&test)
    }
}
