#[derive(Clone, Copy)]
pub struct Kernel(&'static str);
impl Kernel {
    pub fn available() -> impl Iterator<Item = Kernel> {
        [Kernel("portable"), Kernel("avx2")].into_iter()
    }
    pub fn named(name: &str) -> Option<Kernel> {
        Kernel::available().find(|kernel| kernel.0 == name)
    }
    pub fn name(self) -> &'static str {
        self.0
    }
    pub fn bind(self) {}
}
