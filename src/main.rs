//! The binary: parses the command line, runs the command, ends with its exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A call makes some sixty small allocations, most of which live as long as it does: with the system's
/// allocator they were a seventh of the guard's own work for a call that takes nothing.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    generect_guard::cli::main()
}
