//! Prometheus text, version 0.0.4: one block for each metric, its help and type first.

use super::machine::Machine;
use super::names::Names;
use super::{Metrics, RouteCount, STATES};
use crate::app::App;
use crate::jobs::Standing;
use gongji_store::gauges::{Counted, Reading};
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// All of it, as of `now` (ms, UTC).
pub fn render(app: &App, now: i64, locked: Option<u64>, jobs: &[Standing], machine: &Machine) -> String {
    let mut page = Page::default();
    of_process(&mut page, machine);
    of_edge(&mut page, &app.metrics, locked);
    of_partitions(&mut page, app, now);
    of_jobs(&mut page, jobs);
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes every write");
    }

    /// One sample; `labels` as they stand between the braces, or empty.
    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        if labels.is_empty() { self.line(format_args!("{name} {value}")) } else { self.line(format_args!("{name}{{{labels}}} {value}")) }
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, "", value);
    }

    /// The lines of one histogram; `unit` writes a bound or the sum.
    fn histogram(&mut self, name: &str, labels: &str, counted: &Counted, unit: fn(u64) -> String) {
        let (comma, braced) = if labels.is_empty() { ("", String::new()) } else { (",", format!("{{{labels}}}")) };
        let mut sum = 0;
        for (bound, count) in counted.bounds.iter().zip(&counted.counts) {
            sum += count;
            self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"{}\"}} {sum}", unit(*bound)));
        }
        let all: u64 = counted.counts.iter().sum();
        self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}"));
        self.line(format_args!("{name}_sum{braced} {}", unit(counted.sum)));
        self.line(format_args!("{name}_count{braced} {all}"));
    }
}

/// Microseconds as seconds, without a floating point number on the way.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn plain(value: u64) -> String {
    value.to_string()
}

fn lasting(time: Duration) -> String {
    seconds(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// A label's value: what is not plain is escaped as the format asks.
fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn of_process(page: &mut Page, machine: &Machine) {
    page.head("gongji_build_info", "gauge", "Version of the program; always 1.");
    page.sample("gongji_build_info", &label("version", env!("CARGO_PKG_VERSION")), 1);
    if let Some(bytes) = machine.resident {
        page.one("process_resident_memory_bytes", "gauge", "Memory of the process.", bytes);
    }
    if let Some(ms) = machine.cpu_ms {
        page.one("process_cpu_seconds_total", "counter", "Processor time of the process.", seconds(ms * 1_000));
    }
    if let Some(files) = machine.open_files {
        page.one("process_open_fds", "gauge", "Open files and connections.", files);
    }
    if let Some(files) = machine.open_files_max {
        page.one("process_max_fds", "gauge", "Most files that may be open.", files);
    }
}

fn of_edge(page: &mut Page, metrics: &Metrics, locked: Option<u64>) {
    routes(page, &metrics.routes);
    page.one("gongji_http_connections", "gauge", "Open connections.", metrics.connections.load(Relaxed));
    let help = "Callers hung up on because too many connections were open.";
    page.one("gongji_http_connections_refused_total", "counter", help, metrics.connections_refused.load(Relaxed));
    let help = "Connections cut off because the caller took too long.";
    page.one("gongji_http_connections_cut_total", "counter", help, metrics.connections_cut.load(Relaxed));
    page.head("gongji_refusals_total", "counter", "Refused requests by the code that was told.");
    for (_, code, count) in metrics.refusals.all() {
        page.sample("gongji_refusals_total", &label("code", code), count.load(Relaxed));
    }
    if let Some(locked) = locked {
        page.one("gongji_logins_locked", "gauge", "ID numbers whose password is locked now.", locked);
    }
}

fn routes(page: &mut Page, routes: &Names<RouteCount>) {
    let all = routes.all();
    page.head("gongji_http_requests_total", "counter", "Answered requests by method, route pattern and status.");
    for (method, route, count) in &all {
        for (status, number) in STATES.iter().zip(&count.states) {
            let number = number.load(Relaxed);
            if number > 0 {
                let labels = format!("{},{},status=\"{status}\"", label("method", method), label("route", route));
                page.sample("gongji_http_requests_total", &labels, number);
            }
        }
    }
    page.head("gongji_http_request_seconds", "histogram", "From a request's head to its answer's head.");
    for (method, route, count) in &all {
        let mut counted = Counted::default();
        count.times.add_to(&mut counted);
        if counted.counts.iter().any(|number| *number > 0) {
            page.histogram("gongji_http_request_seconds", &format!("{},{}", label("method", method), label("route", route)), &counted, seconds);
        }
    }
}

/// Which process works on a partition: the sum over all processes is 1.
const WRITING: &str = "gongji_partition_writing";

/// A gauge or counter of every partition: name, type, help, and its value.
type OfPartition = (&'static str, &'static str, &'static str, fn(&Reading, i64) -> String);

const OF_PARTITIONS: [OfPartition; 13] = [
    (WRITING, "gauge", "1 where this process takes requests for the partition.", |one, _| u64::from(one.is_writing).to_string()),
    ("gongji_partition_epoch", "gauge", "Epoch of the partition's writer; it grows at each take-over.", |one, _| one.epoch.to_string()),
    ("gongji_partition_records_total", "counter", "Committed records: the number of the last one.", |one, _| one.seq.to_string()),
    ("gongji_partition_queue", "gauge", "Requests, and groups of them, that wait for the partition's writer.", |one, _| one.queued.to_string()),
    ("gongji_partition_batch_age_seconds", "gauge", "How long the oldest pending batch has been at work; 0 between batches.", |one, _| lasting(one.batch_age)),
    ("gongji_partition_deadline_lag_seconds", "gauge", "How long ago the oldest deadline not yet acted on has passed.", |one, now| {
        let late = one.next_due.map_or(0, |due| now.saturating_sub(due).max(0));
        seconds(late.unsigned_abs().saturating_mul(1_000))
    }),
    ("gongji_partition_failed_batches_total", "counter", "Batches that were not committed.", |one, _| one.failed_batches.to_string()),
    ("gongji_partition_unknown_commits_total", "counter", "Commits whose outcome had to be looked up.", |one, _| one.unknown_commits.to_string()),
    ("gongji_projection_lag_records", "gauge", "Committed records that the books do not show yet.", |one, _| one.records_behind.to_string()),
    ("gongji_projection_lag_seconds", "gauge", "How long the oldest of them has waited.", |one, _| lasting(one.behind)),
    ("gongji_projection_stuck", "gauge", "1 where the last attempt to write the books failed.", |one, _| u64::from(one.is_stuck).to_string()),
    ("gongji_messages_in_transit", "gauge", "Messages sent by the partition and not yet applied.", |one, _| one.messages.to_string()),
    ("gongji_messages_stalled_seconds", "gauge", "For how long none of them has been applied.", |one, _| lasting(one.stalled)),
];

fn of_partitions(page: &mut Page, app: &App, now: i64) {
    let (mut batches, mut commits) = (Counted::default(), Counted::default());
    let mut readings = Vec::new();
    for part in 0..=app.engine.parts() {
        readings.extend(app.engine.reading(part).map(|reading| (part, reading)));
        if let Some(gauges) = app.engine.gauges(part) {
            gauges.add_batches_to(&mut batches);
            gauges.add_commits_to(&mut commits);
        }
    }
    page.head("gongji_batch_requests", "histogram", "Requests in a batch, of all partitions.");
    page.histogram("gongji_batch_requests", "", &batches, plain);
    page.head("gongji_commit_seconds", "histogram", "Time of a commit, of all partitions.");
    page.histogram("gongji_commit_seconds", "", &commits, seconds);
    page.one("gongji_partition_queue_max", "gauge", "Places in a partition's queue; a full one answers 503.", gongji_store::QUEUE_MAX);
    for (name, kind, help, value) in OF_PARTITIONS {
        page.head(name, kind, help);
        // Of another process's partition it is said here that it is not this one's, and no more.
        for (part, reading) in readings.iter().filter(|(_, reading)| reading.is_here || name == WRITING) {
            page.sample(name, &format!("part=\"{part}\""), value(reading, now));
        }
    }
    let mut sums = app.metrics.books.all();
    sums.retain(|part, _| readings.iter().any(|(here, reading)| here == part && reading.is_here));
    page.head("gongji_books_sum_fen", "gauge", "All balances of the partition's books added up; anything but 0 is an alarm.");
    for (part, sum) in &sums {
        page.sample("gongji_books_sum_fen", &format!("part=\"{part}\""), sum.fen);
    }
    page.head("gongji_books_summed_timestamp_seconds", "gauge", "When they were added up.");
    for (part, sum) in &sums {
        page.sample("gongji_books_summed_timestamp_seconds", &format!("part=\"{part}\""), sum.at / 1_000);
    }
}

fn of_jobs(page: &mut Page, jobs: &[Standing]) {
    page.head("gongji_job_lag_seconds", "gauge", "How long ago a job fell due that is not done yet, by the business clock.");
    for job in jobs {
        page.sample("gongji_job_lag_seconds", &label("job", job.name), job.lag_ms / 1_000);
    }
    let states = || jobs.iter().filter_map(|job| Some((job.name, job.state.as_ref()?)));
    page.head("gongji_job_failures", "gauge", "Runs of a job that failed since one went well.");
    for (name, state) in states() {
        page.sample("gongji_job_failures", &label("job", name), state.failures);
    }
    page.head("gongji_job_run_timestamp_seconds", "gauge", "When a job's last run began, by the machine's clock.");
    for (name, state) in states() {
        page.sample("gongji_job_run_timestamp_seconds", &label("job", name), state.began_ms / 1_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_seconds() {
        assert_eq!([0, 100, 1_000_000, 2_500_000, 10_000_001].map(seconds), ["0", "0.0001", "1", "2.5", "10.000001"]);
    }

    #[test]
    fn a_histogram_counts_upwards_and_ends_with_all() {
        let mut page = Page::default();
        page.histogram("x", "a=\"b\"", &Counted { bounds: &[1, 10], counts: vec![2, 3, 4], sum: 99 }, plain);
        let told = "x_bucket{a=\"b\",le=\"1\"} 2\nx_bucket{a=\"b\",le=\"10\"} 5\nx_bucket{a=\"b\",le=\"+Inf\"} 9\nx_sum{a=\"b\"} 99\nx_count{a=\"b\"} 9\n";
        assert_eq!(page.0, told);
    }

    #[test]
    fn a_label_cannot_break_out() {
        assert_eq!(label("a", "x\"}\n\\"), "a=\"x\\\"}\\n\\\\\"");
    }
}
