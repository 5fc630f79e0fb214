//! Instructions, allocations, bytes and time of a stack in a case.

use std::alloc::System;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use crate::Named;
use crate::cases::Case;
use crate::counter::{instructions, number, output, this_binary, twice, with_runtime};
use crate::stacks::Stack;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BATCHES: usize = 51;
const BATCH: u32 = 2_000;

/// The cost of one request.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
    pub(crate) nanoseconds: f64,
}

impl Cost {
    /// Measures the cost in separate processes.
    pub(crate) fn measure(stack: Stack, case: Case, valgrind: bool) -> Self {
        let mut child = Command::new(this_binary());
        let text = output(child.args(["--measure", stack.name(), case.name()]), |out| out.stdout);
        let mut numbers = text.split_whitespace().map(number);
        let mut next = || numbers.next().expect("three numbers");
        let (allocations, bytes, nanoseconds) = (next(), next(), next());
        Self {
            instructions: valgrind.then(|| instructions(&["--count", stack.name(), case.name()], stack.processes())),
            allocations,
            bytes,
            nanoseconds,
        }
    }
}

/// Sends this many requests, twice, and only one more to check the response.
pub(crate) fn run(stack: Stack, case: Case, requests: u64) {
    with_runtime(|| {
        let mut stack = stack.around(case);
        twice(|| (0..requests).for_each(|_| drop(black_box(stack.answer(case.request())))));
    });
}

/// Returns three numbers per request for the calling process: allocations, bytes, nanoseconds.
pub(crate) fn allocations_and_time(stack: Stack, case: Case) -> String {
    with_runtime(|| {
        let mut stack = stack.around(case);
        let mut batch = || (0..BATCH).for_each(|_| drop(black_box(stack.answer(case.request()))));
        batch();
        let region = Region::new(ALLOCATOR);
        batch();
        let change = region.change();
        let mut times: Vec<f64> = (0..BATCHES).map(|_| nanoseconds(&mut batch)).collect();
        times.sort_by(f64::total_cmp);
        let allocations = (change.allocations + change.reallocations) as f64 / f64::from(BATCH);
        let bytes = change.bytes_allocated as f64 / f64::from(BATCH);
        format!("{allocations} {bytes} {}", times[BATCHES / 2] / f64::from(BATCH))
    })
}

fn nanoseconds(job: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    job();
    start.elapsed().as_secs_f64() * 1e9
}
