//! The sample files are data that people rely on: each must read without a fault, and they must agree with each other.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

use gongji_files::{
    ContributionRow, EnrolmentRow, EnrolmentStatus, InstitutionRow, LoginRow, Options, PersonRow, PremiumPayer, PremiumRow, Readiness, RegionOpened, RegionRow,
    Row, parse, parse_date, provinces_without_list,
};
use gongji_ledger::Fen;
use gongji_wallet::citizen::{CitizenNumber, PersonName};
use gongji_wallet::day::Day;

/// The day on which the clock of the sandbox starts: a Monday.
fn start() -> Day {
    parse_date("2026-11-23").unwrap()
}

#[track_caller]
fn clean<R: Row>(path: &str) -> Vec<R> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data").join(path);
    let bytes = fs::read(&file).unwrap();
    let parsed = parse::<R>(bytes.as_slice(), &Options::new(start())).unwrap();
    assert!(parsed.is_clean(), "{path}: {:?}", parsed.bad);
    assert!(!parsed.rows.is_empty());
    parsed.rows
}

struct Sample {
    regions: Vec<RegionRow>,
    persons: Vec<PersonRow>,
    enrolments: Vec<EnrolmentRow>,
    contributions: Vec<ContributionRow>,
    institutions: Vec<InstitutionRow>,
    premiums: Vec<PremiumRow>,
    logins: Vec<LoginRow>,
}

impl Sample {
    fn read() -> Sample {
        Sample {
            regions: clean("regions.csv"),
            persons: clean("sandbox/persons.csv"),
            enrolments: clean("sandbox/enrolments.csv"),
            contributions: clean("sandbox/contributions.csv"),
            institutions: clean("sandbox/institutions.csv"),
            premiums: clean("sandbox/premiums.csv"),
            logins: clean("sandbox/logins.csv"),
        }
    }

    #[track_caller]
    fn person(&self, name: &str) -> CitizenNumber {
        let name = PersonName::parse(name).unwrap();
        self.persons.iter().find(|person| person.name == name).unwrap().id_number
    }

    fn enrolments_of(&self, id_number: CitizenNumber) -> impl Iterator<Item = &EnrolmentRow> {
        self.enrolments.iter().filter(move |enrolment| enrolment.id_number == id_number)
    }

    fn account_of(&self, id_number: CitizenNumber) -> Fen {
        self.contributions.iter().filter(|row| row.id_number == id_number).map(|row| row.amount).sum()
    }

    fn is_open(&self, area: u32) -> bool {
        self.regions.iter().any(|region| region.code.get() == area && region.opened == RegionOpened::Yes)
    }
}

#[test]
fn the_real_regions_are_read_whole() {
    let regions = clean::<RegionRow>("regions.csv");
    assert_eq!(regions.len(), 255);
    assert_eq!(regions.iter().filter(|region| region.opened == RegionOpened::Yes).count(), 222);
    let unpublished: Vec<u32> = provinces_without_list(&regions).iter().map(|area| area.get()).collect();
    assert_eq!(unpublished, [220_000, 230_000, 330_000, 520_000, 610_000]);
}

#[test]
fn sample_people_can_be_nobody_real() {
    let sample = Sample::read();
    assert!(sample.persons.len() >= 60);
    let mut names = HashSet::new();
    for person in &sample.persons {
        assert!(person.id_number.as_str().starts_with("99"));
        assert!(person.phone.is_none_or(|phone| phone.as_str().starts_with("1990000")));
        assert!(names.insert(person.name.as_str()), "a name tells a sample person");
    }
}

#[test]
fn the_files_agree_with_each_other() {
    let sample = Sample::read();
    let persons: HashMap<CitizenNumber, &PersonRow> = sample.persons.iter().map(|person| (person.id_number, person)).collect();
    for person in &sample.persons {
        assert!(sample.enrolments_of(person.id_number).next().is_some(), "line {}", person.line);
    }
    for enrolment in &sample.enrolments {
        assert!(persons.contains_key(&enrolment.id_number), "line {}", enrolment.line);
        assert!(enrolment.from <= start());
    }
    for contribution in &sample.contributions {
        let has_account = sample.enrolments_of(contribution.id_number).any(|enrolment| {
            enrolment.area == contribution.area && enrolment.insurance == 310 && !enrolment.is_pooled_only && enrolment.status != EnrolmentStatus::Dead
        });
        assert!(has_account, "line {}", contribution.line);
    }
    for login in &sample.logins {
        let person = persons[&login.id_number];
        assert_eq!(person.name, login.name);
        assert!(person.phone.is_some(), "line {}: who logs in has a phone", login.line);
        assert!(!login.id_number.is_minor_on(start()) || login.name.as_str() == "林小禾", "line {}", login.line);
    }
    for institution in &sample.institutions {
        assert_eq!(institution.code.region(), institution.area);
        let is_anywhere = institution.is_counter_ready || institution.is_kiosk_ready || institution.is_mobile_ready;
        assert_eq!(is_anywhere, institution.readiness != Readiness::Off, "line {}", institution.line);
        assert!(sample.is_open(institution.area.get()) || institution.readiness == Readiness::Off, "line {}", institution.line);
    }
    // Who has resident insurance in an open region finds the premium of next year there.
    for enrolment in sample.enrolments.iter().filter(|enrolment| enrolment.insurance == 390 && sample.is_open(enrolment.area.get())) {
        assert!(sample.premiums.iter().any(|premium| premium.area == enrolment.area && premium.year == 2027), "line {}", enrolment.line);
        assert!(sample.institutions.iter().any(|institution| institution.area == enrolment.area), "line {}", enrolment.line);
    }
}

#[test]
fn the_stories_have_what_they_need() {
    let sample = Sample::read();
    let only = |name: &str| {
        let id_number = sample.person(name);
        let mut enrolments = sample.enrolments_of(id_number);
        let enrolment = enrolments.next().unwrap();
        assert!(enrolments.next().is_none());
        (enrolment.area.get(), enrolment.insurance, enrolment.status)
    };
    let normal = EnrolmentStatus::Normal;

    assert_eq!(only("李强"), (370_100, 310, normal));
    assert_eq!(sample.account_of(sample.person("李强")), Fen(600_000));
    assert_eq!(only("王秀兰"), (510_500, 390, normal));
    assert_eq!(sample.person("王秀兰").age_on(start()), 74);
    assert_eq!(only("陈静").0, 320_500);
    assert!(sample.person("李沐阳").is_minor_on(start()));
    assert!(sample.person("李刚").as_str().ends_with('X'));

    // The quota pair lives in Gansu, the province whose kind of grant is `quota`.
    assert_eq!((only("马国栋").0, only("马文华").0), (620_100, 620_500));

    assert!(sample.enrolments_of(sample.person("张伟")).all(|enrolment| enrolment.is_pooled_only));
    assert_eq!(sample.account_of(sample.person("张伟")), Fen::ZERO);
    assert_eq!(sample.account_of(sample.person("张丽")), Fen(200_000));
    assert_eq!(only("孙浩").2, EnrolmentStatus::Paused);
    assert_eq!(only("丁守义").2, EnrolmentStatus::Dead);
    assert_eq!(only("刘德厚").0, 500_229);
    assert_eq!(only("艾力·买买提").0, 660_800);
    assert_eq!(only("丁建军").0, 379_801);
    for (name, is_open) in [("何雨晴", false), ("黄志强", false), ("高翔", false), ("何志明", true), ("黄伯安", true), ("袁彩霞", true)] {
        assert_eq!(sample.is_open(only(name).0), is_open, "{name}");
    }
    let child = sample.person("林小禾");
    assert!(child.is_minor_on(start()) && !child.is_minor_on(start() + 1));

    let near_the_mother: HashSet<Readiness> =
        sample.institutions.iter().filter(|institution| institution.area.get() == 510_500).map(|institution| institution.readiness).collect();
    assert_eq!(near_the_mother.len(), 3);
    assert!(sample.institutions.iter().all(|institution| institution.area.get() != 371_700 || institution.readiness != Readiness::Ready));

    let of_the_mother = sample.premiums.iter().find(|premium| premium.area.get() == 510_500 && premium.year == 2027).unwrap();
    assert!((of_the_mother.opens_on..=of_the_mother.closes_on).contains(&start()));
    assert_eq!((of_the_mother.amount, of_the_mother.who), (Fen(42_000), PremiumPayer::SelfAndRelatives));
}

#[test]
fn every_person_is_documented_and_every_password_follows_the_convention() {
    let sample = Sample::read();
    let readme = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/sandbox/README.md")).unwrap();
    for person in &sample.persons {
        assert!(readme.contains(&format!("| {} | {} |", person.name.as_str(), person.id_number.as_str())), "line {}", person.line);
    }
    for login in &sample.logins {
        let phone = sample.persons.iter().find(|person| person.id_number == login.id_number).unwrap().phone.unwrap();
        assert_eq!(login.password, format!("26{}", &phone.as_str()[7..]), "line {}", login.line);
    }
}
