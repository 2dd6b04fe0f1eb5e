//! The choice between tables of compiled loops, of which there is one per instruction set.

/// Defines `Kernel`, one of the tables of type `Table` that follow, slowest first. Any processor can run the first one; for
/// each of the others, a module says whether this processor can.
macro_rules! kernels {
    (
        $(#[$meta:meta])*
        pub struct Kernel;
        $portable:expr,
        $($(#[$target:meta])* $module:ident => $table:expr,)*
    ) => {
        $(#[$meta])*
        ///
        /// A value exists only for an instruction set that was detected, so its methods are safe to call.
        #[derive(Clone, Copy)]
        pub struct Kernel(&'static Table);

        impl std::fmt::Debug for Kernel {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Kernel {
            /// Every kernel that this processor can run, slowest first; never empty.
            pub fn available() -> Vec<Kernel> {
                let kernels = [
                    Some(Kernel(&$portable)),
                    $($(#[$target])* $module::is_available().then_some(Kernel(&$table)),)*
                ];
                kernels.into_iter().flatten().collect()
            }

            /// The fastest kernel, detected at the first call.
            pub fn active() -> Kernel {
                static ACTIVE: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
                *ACTIVE.get_or_init(|| Self::available().last().copied().unwrap_or(Kernel(&$portable)))
            }

            /// `portable`, `avx2`, `avx512` or `neon`.
            pub fn name(self) -> &'static str {
                self.0.name
            }
        }
    };
}
pub(crate) use kernels;
