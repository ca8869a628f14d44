//! `gongji import`: every bad line named, nothing half done, nothing twice.

use gongji::app::App;
use gongji::identity::Adapters;
use gongji::import::{ImportError, Summary, import};
use gongji::installation::{Installation, Profile};
use gongji_files::ImportKind;
use gongji_ledger::{Fen, HolderId};
use gongji_store::clock::MovableClock;
use gongji_wallet::directory::Coverage;
use gongji_wallet::object::{EnrolmentStatus, Holder};
use indicatif::ProgressBar;
use std::sync::Arc;

const REGIONS: &str = "code,province_code,province,name,level,opened,opened_on,change_of_use,source,closed_on
370000,370000,山东省,山东省,province,full,2025-05-08,no,test,
370100,370000,山东省,济南市,prefecture,yes,2025-05-08,no,test,
370200,370000,山东省,青岛市,prefecture,yes,2025-05-08,no,test,2026-03-01
370200,370000,山东省,青岛市,prefecture,yes,2026-06-01,no,test,
610000,610000,陕西省,陕西省,province,partial,2025-05-08,no,test,
610100,610000,陕西省,西安市,prefecture,unconfirmed,2025-07-04,no,test,
110000,110000,北京市,北京市,province,no,,no,test,
";

const PERSONS: &str = "id_number,name,phone
990137198405120013,李强,19900000001
990151195203150023,王秀兰,19900000002
990151195008020012,李建国,19900000003
";

struct Office {
    app: Arc<App>,
    _installation: Installation,
    _folder: tempfile::TempDir,
}

impl Office {
    fn open() -> Office {
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation::open_or_create(folder.path(), Profile::Sandbox, Some(3)).unwrap();
        let clock = Arc::new(MovableClock::standing(gongji::sandbox::start_of_clock()));
        let app = Arc::new(installation.start(clock, None, Adapters::sandbox(), None).unwrap());
        Office { app, _installation: installation, _folder: folder }
    }

    async fn import(&self, kind: ImportKind, file: &str, skip_bad: bool) -> Result<Summary, ImportError> {
        import(&self.app, kind, file.as_bytes(), skip_bad, &ProgressBar::hidden()).await
    }

    /// Imports what is expected to be without a fault.
    async fn take(&self, kind: ImportKind, file: &str) -> Summary {
        let summary = self.import(kind, file, false).await.unwrap();
        assert!(summary.refused.is_empty(), "{:?}", summary.refused);
        summary
    }

    fn holder(&self, id_number: &str) -> Holder {
        let id = self.app.vault.find_by_id_number(id_number).unwrap().unwrap();
        self.app.engine.holder(HolderId(id)).unwrap().unwrap()
    }

    /// The lines and columns a file is refused for.
    async fn faults(&self, kind: ImportKind, file: &str) -> Vec<(u32, Option<&'static str>)> {
        match self.import(kind, file, false).await {
            Err(ImportError::BadLines(bad)) => {
                assert!(bad.iter().all(|bad| !bad.reason_zh.is_empty() && bad.reason_en.is_ascii()), "{bad:?}");
                bad.iter().map(|bad| (bad.line, bad.column)).collect()
            }
            other => panic!("expected bad lines, got {other:?}"),
        }
    }
}

fn day(year: i16, month: i8, day: i8) -> i32 {
    gongji_wallet::day::day_from_date(year, month, day).unwrap()
}

#[tokio::test]
async fn regions_open_and_close_by_date() {
    let office = Office::open();
    assert_eq!(office.take(ImportKind::Regions, REGIONS).await.applied, 6);
    let directory = office.app.directory();
    let open = |area, on| directory.is_open(area, on);
    assert!(open(370100, day(2025, 5, 8)) && !open(370100, day(2025, 5, 7)));
    assert!(open(370200, day(2026, 2, 28)) && !open(370200, day(2026, 3, 1)) && open(370200, day(2026, 6, 1)));
    assert!(!open(610100, day(2026, 11, 23)), "an unconfirmed opening is none");
    let coverage = |area: u32| directory.regions[&area].coverage;
    assert_eq!(
        [coverage(370000), coverage(610000), coverage(110000), coverage(370100)],
        [Coverage::Full, Coverage::Unlisted, Coverage::Closed, Coverage::Area]
    );
    let again = office.take(ImportKind::Regions, REGIONS).await;
    assert_eq!((again.applied, again.known), (0, 6));
}

#[tokio::test]
async fn a_file_with_a_bad_line_changes_nothing_unless_told_to_skip() {
    let office = Office::open();
    office.take(ImportKind::Regions, REGIONS).await;
    let file = "id_number,name,phone\n990137198405120013,李强,19900000001\n990151195203150024,王秀兰,19900000002\n990151195008020012,李建国,123\n";
    assert_eq!(office.faults(ImportKind::Persons, file).await, [(3, Some("id_number")), (4, Some("phone"))]);
    assert_eq!(office.app.vault.find_by_id_number("990137198405120013").unwrap(), None);

    let summary = office.import(ImportKind::Persons, file, true).await.unwrap();
    assert_eq!((summary.lines, summary.applied, summary.skipped.len()), (1, 1, 2));
    assert!(office.holder("990137198405120013").enrolment.is_none());

    let unusable = "name,phone\n李强,19900000001\n";
    assert!(matches!(office.import(ImportKind::Persons, unusable, true).await, Err(ImportError::Unusable(_))), "a wrong file is never used");
}

#[tokio::test]
async fn what_a_line_names_must_exist() {
    let office = Office::open();
    office.take(ImportKind::Regions, REGIONS).await;
    office.take(ImportKind::Persons, PERSONS).await;
    let lonely =
        "code,province_code,province,name,level,opened,opened_on,change_of_use,source\n510500,510000,四川省,泸州市,prefecture,yes,2025-05-08,no,test\n";
    assert_eq!(office.faults(ImportKind::Regions, lonely).await, [(2, Some("province_code"))]);
    let institutions = "code,name,area,kind,level,address,district,readiness,counter,kiosk,mobile
H37010000001,济南医院,370100,hospital,,,,ready,yes,no,no
H51050000001,泸州医院,510500,hospital,,,,ready,yes,no,no
H37000000001,山东医院,370000,hospital,,,,ready,yes,no,no
H11000000001,北京医院,110000,hospital,,,,off,no,no,no
";
    // Beijing has no areas below it on file: it is its own pooling area.
    assert_eq!(office.faults(ImportKind::Institutions, institutions).await, [(3, Some("area")), (4, Some("area"))]);
    let premiums = "area,year,amount_yuan,opens_on,closes_on,who,instructions\n510500,2027,420.00,2026-09-15,2026-12-31,relatives,去\n370100,2027,440.00,2026-09-15,2026-12-31,relatives,去\n";
    assert_eq!(office.faults(ImportKind::Premiums, premiums).await, [(2, Some("area"))]);
    let enrolments = "id_number,area,insurance,status,from,pooled_only
990137198405120013,370100,310,normal,2007-08-01,no
990137198405120013,370200,310,normal,2008-08-01,no
990134195711060028,370100,390,normal,2010-01-01,no
990151195203150023,510500,390,normal,2009-01-01,no
";
    assert_eq!(office.faults(ImportKind::Enrolments, enrolments).await, [(3, Some("status")), (4, Some("id_number")), (5, Some("area"))]);
    assert_eq!(office.holder("990137198405120013").enrolment, None);
}

#[tokio::test]
async fn of_several_enrolments_the_one_that_holds_counts() {
    let office = Office::open();
    office.take(ImportKind::Regions, REGIONS).await;
    office.take(ImportKind::Persons, PERSONS).await;
    let file = "id_number,area,insurance,status,from,pooled_only
990137198405120013,370100,310,normal,2026-03-01,no
990137198405120013,370200,310,ended,2007-08-01,no
990151195203150023,370100,390,dead,2009-01-01,no
";
    let summary = office.take(ImportKind::Enrolments, file).await;
    assert_eq!((summary.applied, summary.outdated), (2, 1));
    let enrolment = office.holder("990137198405120013").enrolment.unwrap();
    assert_eq!((enrolment.area, enrolment.status), (370100, EnrolmentStatus::Normal));
    assert!(office.holder("990151195203150023").died);

    // The old area's report of the end comes late and ends nothing; the new area's does.
    let header = "id_number,area,insurance,status,from,pooled_only\n";
    let late = office.take(ImportKind::Enrolments, &format!("{header}990137198405120013,370200,310,ended,2007-08-01,no\n")).await;
    assert_eq!((late.applied, late.outdated), (0, 1));
    office.take(ImportKind::Enrolments, &format!("{header}990137198405120013,370100,310,paused,2026-03-01,no\n")).await;
    assert_eq!(office.holder("990137198405120013").enrolment.unwrap().status, EnrolmentStatus::Paused);
}

#[tokio::test]
async fn a_voucher_pays_once_even_in_a_corrected_file() {
    let office = Office::open();
    office.take(ImportKind::Regions, REGIONS).await;
    office.take(ImportKind::Persons, PERSONS).await;
    let enrolments = "id_number,area,insurance,status,from,pooled_only
990137198405120013,370100,310,normal,2007-08-01,no
990151195008020012,370100,310,normal,2007-08-01,yes
";
    office.take(ImportKind::Enrolments, enrolments).await;
    let header = "id_number,area,amount_yuan,month,document\n";
    let first = format!("{header}990137198405120013,370100,220.00,2026-10,V-1\n990137198405120013,370100,220.01,2026-11,V-2\n");
    assert_eq!(office.take(ImportKind::Contributions, &first).await.applied, 2);
    let again = office.take(ImportKind::Contributions, &first).await;
    assert_eq!((again.applied, again.known), (0, 2));
    let corrected = format!("{header}990137198405120013,370100,5.00,2026-11,V-3\n990137198405120013,370100,220.00,2026-10,V-1\n");
    let corrected = office.take(ImportKind::Contributions, &corrected).await;
    assert_eq!((corrected.applied, corrected.known), (1, 1));
    assert_eq!(office.holder("990137198405120013").personal_total(), Fen(44_501));

    let other_amount = format!("{header}990137198405120013,370100,220.02,2026-10,V-1\n");
    assert_eq!(office.faults(ImportKind::Contributions, &other_amount).await, [(2, Some("document"))]);
    let pooled = format!("{header}990151195008020012,370100,1.00,2026-10,V-9\n");
    assert_eq!(office.faults(ImportKind::Contributions, &pooled).await, [(2, Some("area"))]);
    assert_eq!(office.holder("990137198405120013").personal_total(), Fen(44_501));
}
