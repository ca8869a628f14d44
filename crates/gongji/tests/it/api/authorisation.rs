//! Each role, on each route of the console, in its own region, in another and in the whole nation: the table of rights against what the server does.

use super::world::*;
use axum::body::Body;
use axum::http::{Method, Request, header};
use gongji::console::desks;
use gongji::console::guard::{Entry, Needs, Place};
use gongji::service::approval::propose;
use gongji::service::operator::appoint_first;
use gongji::service::sign_in::{put_sample, sample_code};
use gongji_wallet::approval::Action;
use gongji_wallet::ids::{ApprovalId, OperatorId};
use gongji_wallet::operator::{Matter, Operator, Right, Role};
use gongji_wallet::rules::Scope;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use tower::Service;

/// Where somebody answers for: where everything below is, elsewhere, everywhere.
const REACHES: [(&str, Scope); 3] = [("本地区", Scope::Area(LUZHOU)), ("别的地区", Scope::Area(JINAN)), ("全国", Scope::Nation)];

/// Who is shown and changed, and who proposed what is looked at.
const TARGET: OperatorId = OperatorId(100);
const MAKER: OperatorId = OperatorId(101);

fn staff() -> Vec<(Role, &'static str, Operator)> {
    let mut staff = Vec::new();
    for role in Role::ALL {
        for (name, reach) in REACHES {
            let id = OperatorId(u32::try_from(staff.len() + 1).unwrap());
            staff.push((role, name, Operator { id, login: format!("op-{}", id.0), reach, roles: vec![role], is_active: true }));
        }
    }
    staff
}

struct Office {
    world: World,
    holder: String,
    approval: ApprovalId,
}

impl Office {
    async fn new() -> Office {
        let world = World::new(1).await;
        let mut all: Vec<Operator> = staff().into_iter().map(|(.., operator)| operator).collect();
        for id in u32::try_from(all.len() + 1).unwrap()..=MAKER.0 {
            let role = if id == MAKER.0 { Role::Operator } else { Role::Auditor };
            all.push(Operator { id: OperatorId(id), login: format!("op-{id}"), reach: Scope::Area(LUZHOU), roles: vec![role], is_active: true });
        }
        // Administrators first: nobody but them may stand at the beginning.
        appoint_first(&world.app, all).await.unwrap();
        let wife = world.app.vault.find_by_id_number(WIFE.1).unwrap().unwrap();
        let approval = ApprovalId([5; 16]);
        let closing = Action::Opening { area: LUZHOU, from: 20_900, open: false };
        propose(&world.app, approval, MAKER, closing, "1").await.unwrap();
        Office { world, holder: format!("{wife:016x}"), approval }
    }

    /// The address of a route with what it is about filled in: all of it in Luzhou.
    fn filled(&self, path: &str) -> String {
        let approval = uuid_of(self.approval);
        path.replace("{area}", &LUZHOU.to_string())
            .replace("{scope}", &LUZHOU.to_string())
            .replace("{holder}", &self.holder)
            .replace("{institution}", HOSPITAL)
            .replace("{approval}", &approval)
            .replace("{operator}", &TARGET.0.to_string())
            .replace("{credential}", "1")
            .replace("{number}", "none")
            .replace("{kind}", "enrolments")
            .replace("{job}", "1")
    }

    /// Status and code of what the server answers; nobody is signed in where there is no operator.
    async fn ask(&self, entry: &Entry, operator: Option<OperatorId>) -> (u16, String) {
        let now = self.world.app.now();
        let mut request = Request::builder().method(entry.method.clone()).uri(self.filled(entry.path)).header(header::HOST, "localhost");
        if let Some(operator) = operator {
            let token = self.world.app.vault.start_operator_session(operator.0, "test", now).unwrap();
            request = request.header(header::COOKIE, format!("gongji_console={}", token.reveal()));
        }
        if entry.method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let response = self.world.router.clone().call(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let code = serde_json::from_slice::<serde_json::Value>(&body).ok().and_then(|body| Some(body["code"].as_str()?.to_owned()));
        (status, code.unwrap_or_default())
    }
}

fn uuid_of(id: ApprovalId) -> String {
    let hex: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What the rule of a route says of an operator; everything the routes are about is in Luzhou, and of the matter of regions.
fn expected(entry: &Entry, operator: &Operator) -> bool {
    let there = match entry.rule.place {
        Place::Own => return right(entry, operator),
        Place::Nation => Scope::Nation,
        _ => Scope::Area(LUZHOU),
    };
    right(entry, operator) && operator.reach.covers(there)
}

fn right(entry: &Entry, operator: &Operator) -> bool {
    let any = |rights: &[Right]| rights.iter().any(|right| operator.has(*right));
    match entry.rule.needs {
        Needs::Nothing | Needs::SignedIn => true,
        Needs::Right(right) => operator.has(right),
        Needs::MakeIt => any(&[Right::Make(Matter::Regions)]),
        Needs::CheckIt => any(&[Right::Check(Matter::Regions)]),
        Needs::SeeIt => any(&[Right::Make(Matter::Regions), Right::Check(Matter::Regions), Right::Audit]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_on_every_route_in_every_region_gets_what_the_table_says() {
    let office = Office::new().await;
    let desks = desks(&office.world.app);
    let mut asked = 0;
    for entry in desks.table() {
        let nobody = office.ask(entry, None).await;
        assert_eq!(nobody.0 == 401, entry.rule.needs != Needs::Nothing, "{} {}: {nobody:?}", entry.method, entry.path);
        for (role, place, operator) in staff() {
            let (status, code) = office.ask(entry, Some(operator.id)).await;
            let is_refused = status == 401 || (status == 403 && code == "NOT_AUTHORISED");
            assert_eq!(!is_refused, expected(entry, &operator), "{} {} by {role:?}, {place}: {status} {code}", entry.method, entry.path);
            assert!(status < 500, "{} {} by {role:?}, {place}: {status} {code}", entry.method, entry.path);
            asked += 1;
        }
    }
    assert_eq!(asked, desks.table().len() * Role::ALL.len() * REACHES.len());
}

#[tokio::test]
async fn no_administrator_alone_comes_in_as_a_colleague() {
    let office = Office::new().await;
    let (_, _, administrator) = staff().into_iter().find(|(role, place, _)| *role == Role::Administrator && *place == "全国").unwrap();
    let desks = desks(&office.world.app);
    let invite = desks.table().iter().find(|entry| entry.path.ends_with("/invite")).unwrap();
    assert_eq!(office.ask(invite, Some(administrator.id)).await.0, 200, "somebody new gets a letter");
    put_sample(&office.world.app, TARGET).await.unwrap();
    assert_eq!(office.ask(invite, Some(administrator.id)).await, (403, "NOT_AUTHORISED".to_owned()));
    assert!(sample_code(&office.world.app, TARGET).await.unwrap().is_some(), "what the colleague signs in with still serves");
}

#[test]
fn no_route_of_the_console_is_put_up_without_its_rule() {
    fn scan(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scan(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("console/guard.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let is_bare = |line: &&str| {
                    (line.contains(".route(") || line.contains(".nest(")) && (line.contains("/console") || path.to_string_lossy().contains("console"))
                };
                found.extend(text.lines().filter(is_bare).map(|line| format!("{}: {}", path.display(), line.trim())));
            }
        }
    }
    let mut found = Vec::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "a route of the console goes through `Desks::at`: {found:#?}");
}

/// The page that operators' offices read: roles and rights, then every route.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_rights_says_what_the_code_says() {
    let office = Office::new().await;
    let mut page = String::from(
        "# Who may do what on the console\n\nGenerated from the code (`gongji_wallet::operator`, `gongji::console`); a test compares them (`UPDATE=1 cargo test -p gongji` writes it anew).\n\
         Where a right holds is the operator's reach: the nation, one province, or one pooling area. Each right below is asked again by the directory's\n\
         partition when something is proposed or decided, and whoever proposed something never decides it.\n\n## Roles and rights\n\n| right | ",
    );
    page.push_str(&Role::ALL.map(|role| role.label()).join(" | "));
    page.push_str(" |\n| --- | --- | --- | --- | --- | --- |\n");
    for right in Right::all() {
        let cells = Role::ALL.map(|role| if role.may(right) { "✓" } else { "" });
        writeln!(page, "| {} | {} |", right.label(), cells.join(" | ")).unwrap();
    }
    page.push_str("\n## Routes\n\n| route | needs | about |\n| --- | --- | --- |\n");
    let desks = desks(&office.world.app);
    let mut seen = BTreeSet::new();
    for entry in desks.table() {
        assert!(seen.insert((entry.method.to_string(), entry.path)), "{} is put up twice", entry.path);
        let needs = match entry.rule.needs {
            Needs::Nothing => "nobody signed in".to_owned(),
            Needs::SignedIn => "any operator at work".to_owned(),
            Needs::Right(right) => right.label(),
            Needs::MakeIt => "提交这类事".to_owned(),
            Needs::CheckIt => "复核这类事".to_owned(),
            Needs::SeeIt => "提交、复核这类事,或看操作记录".to_owned(),
        };
        let place = match entry.rule.place {
            Place::Own => "what the reach covers",
            Place::Area => "the area",
            Place::Scope => "the nation, province or area",
            Place::Person => "where the person is insured",
            Place::Institution => "where the institution is",
            Place::Approval => "what is approved",
            Place::Operator => "the operator's reach",
            Place::Nation => "the nation",
        };
        writeln!(page, "| `{} {}` | {needs} | {place} |", entry.method, entry.path).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating/authorisation.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "run with UPDATE=1");
}
