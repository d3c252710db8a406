//! Which code takes long sums: the best that the machine runs, found out once.

use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::{Checksum, portable};
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use super::{avx2, avx512};

/// Whether the machine has all of the features: asked at run time where `std` can ask.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
macro_rules! has {
    ($($feature:tt)*) => {{
        #[cfg(feature = "detect")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))* }
        #[cfg(not(feature = "detect"))]
        { cfg!(all($(target_feature = $feature),*)) }
    }};
}

/// A way to take the sum of many bytes.
///
/// | name | what it takes | bytes a step |
/// | --- | --- | --- |
/// | `portable` | nothing | 8 |
/// | `avx2` | x86-64 with AVX2 | 32 |
/// | `avx512` | x86-64 with AVX-512 F, BW and VNNI, and BMI2 | 64 |
///
/// [`Checksum`], and with it all parsing and building, uses the best that there is; the
/// others are for tests and benches, which want to compare them or to name one. There is a
/// kernel only where it can run, so that using it needs no care.
///
/// With the feature `detect`, which `std` includes, the machine is asked at run time. Without
/// it nobody can ask, and a kernel or firmware may not want its vector registers touched:
/// then what the target was compiled for counts, which is `portable` on x86-64 unless
/// `-C target-cpu=native` or the like says more.
///
/// ```
/// use zerotcp::wire::checksum::{Checksum, Kernel};
///
/// let data = [0x5a; 1480];
/// for kernel in Kernel::available() {
///     assert_eq!(kernel.sum(&data), Checksum::of(&data), "{}", kernel.name());
/// }
/// assert_eq!(Kernel::named("abacus"), None);
/// ```
#[derive(Clone, Copy)]
pub struct Kernel {
    /// One of [`CODES`] that this machine can run.
    code: &'static Code,
}

/// The code of a kernel.
struct Code {
    name: &'static str,
    /// Whether this machine can run the other two.
    is_available: fn() -> bool,
    /// As [`portable::sum`], of [`SHORT`](portable::SHORT) bytes at least: what is less is not
    /// worth the call.
    sum: unsafe fn(&[u8]) -> u64,
    /// As [`portable::copy`].
    copy: unsafe fn(&mut [u8], &[u8]) -> u64,
}

static PORTABLE: Code = Code {
    name: "portable",
    is_available: || true,
    sum: portable::sum,
    copy: portable::copy,
};

/// From the one that runs anywhere to the one that is best where it runs. A target without
/// SSE2 keeps all vector registers to itself.
static CODES: &[&Code] = &[
    &PORTABLE,
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &Code {
        name: "avx2",
        is_available: || has!("avx2"),
        sum: avx2::sum,
        copy: avx2::copy,
    },
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &Code {
        name: "avx512",
        is_available: || has!("avx512f" "avx512bw" "avx512vnni" "bmi2"),
        sum: avx512::sum,
        copy: avx512::copy,
    },
];

/// What is in use until a kernel has been chosen: chooses the best one, and lets it go on. So
/// nobody needs to ask whether one has been.
static UNBOUND: Code = Code {
    name: "",
    is_available: || false,
    sum: |data| Kernel::bind_best().add_up(data),
    copy: |dst, src| Kernel::bind_best().add_up_copied(dst, src),
};

/// The code of the kernel in use. Two threads that choose at once choose the same.
static BOUND: AtomicPtr<Code> = AtomicPtr::new((&raw const UNBOUND).cast_mut());

/// What is in use.
#[inline(always)]
fn bound() -> &'static Code {
    // SAFETY: whatever is stored there, here and in `bind` and `bind_best`, came out of a shared
    // reference to a static. Codes never change, so there is no order to keep.
    #[allow(unsafe_code)]
    unsafe {
        &*BOUND.load(Ordering::Relaxed)
    }
}

/// As [`portable::sum`], by the kernel in use, of [`SHORT`](portable::SHORT) bytes at least.
#[inline(always)]
pub(super) fn sum(data: &[u8]) -> u64 {
    Kernel { code: bound() }.add_up(data)
}

/// As [`portable::copy`], by the kernel in use.
#[inline(always)]
pub(super) fn copy(dst: &mut [u8], src: &[u8]) -> u64 {
    Kernel { code: bound() }.add_up_copied(dst, src)
}

impl Kernel {
    /// The kernels that there are, the portable one first and the best last.
    #[must_use]
    pub fn available() -> impl DoubleEndedIterator<Item = Kernel> {
        let codes = CODES.iter().filter(|code| (code.is_available)());
        codes.map(|code| Kernel { code })
    }

    /// The kernel of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Kernel> {
        Kernel::available().find(|kernel| kernel.name() == name)
    }

    /// The name, as [`named`](Kernel::named) takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.code.name
    }

    /// The kernel in use: the best one, unless another was bound.
    #[must_use]
    pub fn bound() -> Kernel {
        let code = bound();
        if ptr::eq(code, &UNBOUND) {
            Kernel::bind_best()
        } else {
            Kernel { code }
        }
    }

    /// Makes this the kernel in use, in the whole process: for tests and benches.
    pub fn bind(self) {
        BOUND.store(ptr::from_ref(self.code).cast_mut(), Ordering::Relaxed);
    }

    #[cold]
    #[inline(never)]
    fn bind_best() -> Kernel {
        let best = Kernel::available().next_back();
        let best = best.unwrap_or(Kernel { code: &PORTABLE });
        // Unless one was bound meanwhile: that holds.
        #[cfg(target_has_atomic = "ptr")]
        {
            let none = (&raw const UNBOUND).cast_mut();
            let best = ptr::from_ref(best.code).cast_mut();
            let order = Ordering::Relaxed;
            if BOUND.compare_exchange(none, best, order, order).is_err() {
                return Kernel::bound();
            }
        }
        #[cfg(not(target_has_atomic = "ptr"))]
        best.bind();
        best
    }

    /// The sum of `data`, by this kernel.
    #[inline]
    #[must_use]
    pub fn sum(self, data: &[u8]) -> Checksum {
        let sum = if data.len() < portable::SHORT {
            portable::sum_short(data)
        } else {
            self.add_up(data)
        };
        Checksum::of_bytes(sum, data.len())
    }

    /// Copies `src` to the start of `dst`, as many bytes as the shorter of the two holds,
    /// and returns their sum, by this kernel.
    #[inline]
    pub fn copy(self, dst: &mut [u8], src: &[u8]) -> Checksum {
        let len = dst.len().min(src.len());
        Checksum::of_bytes(self.add_up_copied(&mut dst[..len], &src[..len]), len)
    }

    /// As [`portable::sum`], of [`SHORT`](portable::SHORT) bytes at least.
    #[inline(always)]
    fn add_up(self, data: &[u8]) -> u64 {
        // SAFETY: a kernel is made only of a code that is available, or that looks for one.
        #[allow(unsafe_code)]
        unsafe {
            (self.code.sum)(data)
        }
    }

    /// As [`portable::copy`].
    #[inline(always)]
    fn add_up_copied(self, dst: &mut [u8], src: &[u8]) -> u64 {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            (self.code.copy)(dst, src)
        }
    }
}

/// The same code.
impl PartialEq for Kernel {
    fn eq(&self, other: &Kernel) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Kernel {}

/// By its name.
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kernel").field(&self.name()).finish()
    }
}
