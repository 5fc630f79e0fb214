//! Writes the report `benches/soak.md`.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use crate::{Soak, memory};

pub(crate) fn write(soak: &Soak) -> String {
    let Soak { minutes, beside, verdict, memory, peak_kib, descriptors, without_id, taken, refused, thrown } = soak;
    let (requests, answers, left, abandoned, ids) =
        (verdict.requests, verdict.answers, verdict.left, verdict.abandoned, verdict.ids);
    let (warm, end, slope) = (memory.warm_kib(), memory.end_kib(), memory.slope());
    let failures = soak.failures();
    let outcome =
        if failures.is_empty() { "All of it held.".to_owned() } else { format!("It failed: {}.", failures.join("; ")) };
    let today = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    format!(
        "# {minutes} minutes of a mixed load

```sh
cargo bench -p error-envelope-cli --bench soak -- --minutes {minutes}
```

{outcome} What runs is said in `crates/cli/benches/soak/main.rs`.

| what | figure |
|---|---|
| date | {date} |
| error-envelope | {version}, profile `bench` |
| machine | {machine} |
| what else ran on it | {beside} |
| requests | {requests} ({rate} a second) |
| answered | {answers} |
| left before their answer or within an upload | {left}, {abandoned} of them logged as abandoned, {crossed} as a broken upload |
| without an answer or a line of the log | {lost} |
| ids | {ids}, each once |
| lines of the log that tell an error without an id | {without_id} |
| policies that took effect, and that were refused | {taken}, {refused} |
| times that the kill switch was thrown and taken back | {thrown} |
| memory after the first minute, at the end | {warm} KiB, {end} KiB |
| at the end of each minute | {each} KiB |
| slope of it after the first minute | {slope:.1} KiB a minute |
| most memory held | {peak_kib} KiB |
| descriptors before, after | {before}, {after} |

Memory is held to this bound: at the end it is at most {most} KiB more than after the first minute, each figure the median of
{samples} samples, a second apart. The gateway runs with `--admin`, so that memory grows with what the errors page keeps, up to the
errors page's own bound; the slope is shown, and held to nothing.
",
        date = today.split('T').next().unwrap_or_default(),
        version = env!("CARGO_PKG_VERSION"),
        machine = machine(),
        rate = requests / (*minutes as usize * 60).max(1),
        crossed = left - abandoned,
        each = memory.minutes_kib().iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        lost = verdict.wrong.len(),
        before = descriptors.0,
        after = descriptors.1,
        most = memory::MOST_KIB,
        samples = memory::AROUND,
    )
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).map(|rest| rest.trim_matches([' ', '\t', ':']));
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    // The report omits the host's name and the kernel's build, because they do not affect the figures.
    let (system, rustc) = (said("uname", &["-sr"]), said("rustc", &["--version"]));
    let parts = [
        format!("{cpus} processors"),
        model.unwrap_or_default().to_owned(),
        system.split('.').next().unwrap_or_default().to_owned(),
        rustc.split(" (").next().unwrap_or_default().to_owned(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
