//! Counting by valgrind's tool of this name.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::MEASURE;

/// The functions that are counted, with all that they call: every
/// [`measured`](super::cases::measured), however its name is mangled.
const MEASURED: &str = "--toggle-collect=*measured*";

/// What counts depend on beside the code.
pub fn tools() -> Result<Vec<String>, String> {
    let valgrind = version("valgrind", "--version")?;
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let mut tools = vec![version(&rustc, "--version")?, valgrind];
    // Its memcpy is counted too. Only glibc's has a version to ask for.
    tools.extend(version("getconf", "GNU_LIBC_VERSION"));
    let all_avx2 = cfg!(target_feature = "avx2");
    tools.push(env::consts::ARCH.to_owned() + if all_avx2 { " with AVX2" } else { "" });
    Ok(tools)
}

fn version(program: &str, flag: &str) -> Result<String, String> {
    let output = Command::new(program).arg(flag).output();
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound if program == "valgrind" => {
            "valgrind is missing, which counts: apt-get install valgrind".into()
        }
        _ => format!("{program}: {error}"),
    })?;
    match String::from_utf8_lossy(&output.stdout).lines().next() {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => Err(format!("{program} {flag} gives no version")),
    }
}

/// Counts the cases, as many at once as there are processors, and tells each count.
pub fn count(labels: &[String], mut tell: impl FnMut(&str, u64)) -> Result<(), String> {
    let program = env::current_exe().map_err(|error| format!("its own path: {error}"))?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    for labels in labels.chunks(processors) {
        let running: Vec<_> = labels.iter().map(|label| start(&program, label)).collect();
        for (label, child) in labels.iter().zip(running) {
            let total = finish(child?).map_err(|error| format!("{label}: {error}"))?;
            tell(label, total);
        }
    }
    Ok(())
}

fn start(program: &Path, label: &str) -> Result<Child, String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--command-line-only=yes", "--vgdb=no"])
        // The total is in the log, and nobody reads the rest.
        .args(["--callgrind-out-file=/dev/null", MEASURED])
        .arg(program)
        .args([MEASURE, label])
        // So that no setting of the C library's gets there.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
        .spawn()
        .map_err(|error| format!("valgrind: {error}"))
}

fn finish(child: Child) -> Result<u64, String> {
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let log = String::from_utf8_lossy(&output.stderr);
    let total = log
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match total {
        Some(total) if output.status.success() && total > 0 => Ok(total),
        _ => Err(format!("callgrind counted nothing\n{log}")),
    }
}
