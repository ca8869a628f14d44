//! The sample files, inside the program: the sandbox starts from anywhere.

use gongji_files::{ImportKind, Row};

const REGIONS: &[u8] = include_bytes!("../../../../data/regions.csv");
const MORE_REGIONS: &[u8] = include_bytes!("../../../../data/sandbox/regions.csv");
const INSTITUTIONS: &[u8] = include_bytes!("../../../../data/sandbox/institutions.csv");
const PREMIUMS: &[u8] = include_bytes!("../../../../data/sandbox/premiums.csv");
const ENROLMENTS: &[u8] = include_bytes!("../../../../data/sandbox/enrolments.csv");
pub const PERSONS: &[u8] = include_bytes!("../../../../data/sandbox/persons.csv");
pub const CONTRIBUTIONS: &[u8] = include_bytes!("../../../../data/sandbox/contributions.csv");
pub const LOGINS: &[u8] = include_bytes!("../../../../data/sandbox/logins.csv");

/// Files that come before any history, in the order in which they build on each other.
pub const FILES: &[(&str, ImportKind, &[u8])] = &[
    ("regions.csv", ImportKind::Regions, REGIONS),
    ("sandbox/regions.csv", ImportKind::Regions, MORE_REGIONS),
    ("institutions.csv", ImportKind::Institutions, INSTITUTIONS),
    ("premiums.csv", ImportKind::Premiums, PREMIUMS),
    ("persons.csv", ImportKind::Persons, PERSONS),
    ("enrolments.csv", ImportKind::Enrolments, ENROLMENTS),
];

/// Rows of a file that the sandbox reads itself.
pub fn rows<R: Row>(bytes: &[u8], today: i32) -> Vec<R> {
    let parsed = gongji_files::parse::<R>(bytes, &super::options(today)).expect("memory delivers its bytes");
    assert!(parsed.is_clean(), "the sample files are read without a fault: {:?}", parsed.bad);
    parsed.rows
}

/// The contributions whose month passes `wanted`, as a file of their own: agencies send one a month.
pub fn contributions_of(wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let text = std::str::from_utf8(CONTRIBUTIONS).expect("the sample files are UTF-8");
    let mut lines = text.lines();
    let mut file = lines.next().expect("a header").to_owned();
    for line in lines.filter(|line| line.split(',').nth(3).is_some_and(&wanted)) {
        file.push('\n');
        file.push_str(line);
    }
    file.into_bytes()
}
