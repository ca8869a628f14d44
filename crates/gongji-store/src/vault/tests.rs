#![allow(clippy::unwrap_used)]

use std::fs;

use super::job::TROUBLE_LEN_MAX;
use super::*;
use crate::postgres_server::Database;

const NOW: i64 = 1_795_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

const ID_NUMBER: &str = "990101195802140026";
const NAME: &str = "李秀兰";
const PHONE: &str = "19900000001";

/// These tests are compiled twice, and run on both kinds of vault.
fn is_on_postgres() -> bool {
    module_path!().ends_with("on_postgres")
}

struct Fixture {
    dir: tempfile::TempDir,
    database: Option<Database>,
    vault: Vault,
}

fn open(dir: &Path, database: Option<&Database>, partitions: u16) -> Result<Vault> {
    let Some(database) = database else { return Vault::open(dir, partitions) };
    let store = PostgresStore::open(&database.url(), partitions)?;
    let keys = Keys::open(&dir.join("keys"), !Vault::is_on(&store)?)?;
    Vault::open_on(&store, keys, partitions)
}

fn open_with(dir: &Path, database: Option<&Database>, keys: Keys) -> Result<Vault> {
    match database {
        None => Vault::open_with(dir, keys, 4),
        Some(database) => Vault::open_on(&PostgresStore::open(&database.url(), 4)?, keys, 4),
    }
}

impl Fixture {
    fn new() -> Self {
        let (dir, database) = (tempfile::tempdir().unwrap(), is_on_postgres().then(Database::new));
        let vault = open(dir.path(), database.as_ref(), 4).unwrap();
        Self { dir, database, vault }
    }

    fn reopen(mut self) -> Self {
        self.vault = open(self.dir.path(), self.database.as_ref(), 4).unwrap();
        self
    }

    /// Everything the vault ever wrote: database and log, or what an administrator of the database sees.
    fn raw_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(database) = &self.database else {
            for entry in fs::read_dir(self.dir.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.file_name().unwrap().to_str().unwrap().starts_with(VAULT_FILE) {
                    bytes.extend(fs::read(path).unwrap());
                }
            }
            return bytes;
        };
        let tables = database.sql("select table_name from information_schema.tables where table_schema = 'public'");
        for table in tables.lines() {
            let rows = database.sql(&format!("select {table}::text from {table}"));
            bytes.extend(rows.as_bytes());
            for blob in rows.split("\\x").skip(1) {
                let digits: Vec<u8> = blob.bytes().take_while(u8::is_ascii_hexdigit).collect();
                bytes.extend(digits.chunks_exact(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()));
            }
        }
        bytes
    }

    fn person(&self) -> u64 {
        put(&self.vault, ID_NUMBER, NAME, Some(PHONE)).holder()
    }
}

fn put(vault: &Vault, id_number: &str, name: &str, phone: Option<&str>) -> PutPerson {
    let person = NewPerson { id_number: id_number.into(), name: name.into(), phone: phone.map(Sensitive::from) };
    vault.put_person(&person, NOW).unwrap()
}

/// Seventeen digits with the check character that fits.
fn with_check(seventeen: &str) -> String {
    use gongji_wallet::citizen::CitizenNumber;
    let full = "0123456789X".chars().map(|check| format!("{seventeen}{check}"));
    full.into_iter().find(|number| CitizenNumber::parse(number).is_ok()).unwrap()
}

fn secret(text: &str) -> Sensitive {
    Sensitive::from(text)
}

#[test]
fn nothing_personal_stands_in_the_files_in_clear() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = fixture.person();
    let password = secret("258036");
    vault.register(holder, "19900000099", &password, None, NOW).unwrap();
    vault.put_message(holder, Channel::Sms, Some(PHONE), "李秀兰您好，验证码是 731904。", NOW).unwrap();
    let (token, _) = vault.start_session(holder, "Chrome 专用机", NOW).unwrap();
    let ask =
        CodeAsk { purpose: Purpose::LogIn, id_number: ID_NUMBER, typed_phone: None, phone_on_file: Some(PHONE), payload: ID_NUMBER, is_deliverable: true };
    let code = vault.start_code(&ask, NOW).unwrap().unwrap();
    vault.request_recovery(holder, "19900000077", "手机掉进河里", "op-1", NOW).unwrap();
    let key = vault.issue_institution_key(1, "H99010100001", NOW).unwrap();
    let institution_secret = key.reveal().rsplit('.').next().unwrap();

    let raw = fixture.raw_bytes();
    let digest = crate::seal::sm3(token.reveal().as_bytes());
    assert!(raw.windows(32).any(|window| window == digest), "what does stand there is found");
    for canary in [
        NAME,
        ID_NUMBER,
        PHONE,
        "19900000099",
        "19900000077",
        "手机掉进河里",
        "验证码",
        "731904",
        "专用机",
        "258036",
        token.reveal(),
        &code.ticket,
        institution_secret,
    ] {
        assert!(!raw.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary} stands in the file");
    }
    let shown = format!("{:?} {:?} {:?} {:?}", vault.person(holder).unwrap(), vault.messages(holder, None, 9).unwrap(), token, code.code);
    for canary in [NAME, ID_NUMBER, PHONE, "验证码", token.reveal()] {
        assert!(!shown.contains(canary), "Debug shows {canary}");
    }
}

#[test]
fn a_vault_refuses_foreign_keys_lost_keys_and_another_partition_count() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().to_owned();
    let database = fixture.database.as_ref();
    assert!(matches!(open_with(&path, database, Keys::for_tests(9)), Err(VaultError::WrongKeys)));
    assert!(matches!(open(&path, database, 8), Err(VaultError::WrongPartitionCount { made: 4, asked: 8 })));
    fs::remove_file(path.join("keys/keyring")).unwrap();
    assert!(matches!(open(&path, database, 4), Err(VaultError::Keys(KeyError::Missing { .. }))));
}

#[test]
fn importing_a_person_twice_changes_nothing_and_changes_are_taken() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let first = put(vault, ID_NUMBER, NAME, None);
    let holder = first.holder();
    assert_eq!(first, PutPerson::Added(holder));
    assert_eq!(part_of(holder), vault.partition_of(ID_NUMBER));
    assert_eq!(put(vault, ID_NUMBER, NAME, None), PutPerson::Unchanged(holder));
    assert_eq!(vault.match_person(ID_NUMBER, NAME).unwrap(), Some(holder));
    assert_eq!(put(vault, ID_NUMBER, NAME, Some(PHONE)), PutPerson::Changed(holder));
    assert_eq!(put(vault, ID_NUMBER, "李秀蘭", None), PutPerson::Changed(holder));
    let person = vault.person(holder).unwrap().unwrap();
    assert_eq!((person.name.reveal(), person.phone.as_ref().unwrap().reveal()), ("李秀蘭", PHONE));
    assert_eq!(vault.match_person(ID_NUMBER, NAME).unwrap(), None, "the old name is not answered from memory");
    assert_eq!(vault.match_person(ID_NUMBER, "李秀蘭").unwrap(), Some(holder));
}

#[test]
fn a_person_is_found_by_number_and_name_together_only() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = put(vault, "99010119900101001X", "阿卜杜热合曼·买买提", None).holder();
    let rare = put(vault, "990101199001010028", "王𬭚", None).holder();
    assert_eq!(vault.match_person_in_memory("99010119900101001X", "阿卜杜热合曼·买买提"), None, "memory has not been asked yet");
    for _ in 0..2 {
        assert_eq!(vault.match_person(" 99010119900101001x", "阿卜杜热合曼•买买提 ").unwrap(), Some(holder));
        assert_eq!(vault.match_person("99010119900101001X", "阿卜杜热合曼").unwrap(), None);
        assert_eq!(vault.match_person("990101199001010036", "阿卜杜热合曼·买买提").unwrap(), None);
        assert_eq!(vault.match_person("990101199001010028", "王𬭚").unwrap(), Some(rare));
        assert_eq!(vault.match_person("990101199001010028", "王林").unwrap(), None);
    }
    assert_eq!(vault.match_person_in_memory("99010119900101001X", "阿卜杜热合曼·买买提"), Some(Some(holder)));
    assert_eq!(vault.match_person_in_memory("99010119900101001X", "别人"), Some(None));
    assert_eq!(vault.find_by_id_number("99010119900101001x").unwrap(), Some(holder));
}

#[test]
fn holders_number_up_within_their_partition() {
    let fixture = Fixture::new();
    let people: Vec<_> = (0..40).map(|serial| NewPerson { id_number: format!("9901011990010{serial:05}").into(), name: "测试".into(), phone: None }).collect();
    let done = fixture.vault.put_persons(&people, NOW).unwrap();
    let mut holders: Vec<u64> = done.iter().map(|put| put.holder()).collect();
    holders.sort_unstable();
    let mut expected = Vec::new();
    for part in 1..=4 {
        let count = holders.iter().filter(|holder| part_of(**holder) == part).count() as u64;
        assert!(count > 0, "all partitions are used");
        expected.extend((1..=count).map(|serial| (u64::from(part) << 48) | serial));
        assert_eq!(fixture.vault.holders_after(part, 0, 100).unwrap().len() as u64, count);
    }
    assert_eq!(holders, expected);
}

#[test]
fn a_person_is_a_minor_until_the_eighteenth_birthday() {
    let id_number = with_check("99010120081122001");
    let person = Person { holder: 1, name: NAME.into(), id_number: id_number.into(), phone: None, is_registered: false };
    let birthday = gongji_wallet::day::day_from_date(2026, 11, 22).unwrap();
    assert!(person.is_minor_on(birthday - 1));
    assert!(!person.is_minor_on(birthday));
}

#[test]
fn five_wrong_passwords_lock_for_half_an_hour_and_then_longer() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = fixture.person();
    vault.set_password(holder, &secret("258036"), NOW).unwrap();
    let check = |password: &str, now_ms| vault.check_password(ID_NUMBER, &secret(password), now_ms).unwrap();
    assert_eq!(check("258036", NOW), PasswordAnswer::Right { holder });
    for left in [4, 3, 2, 1] {
        assert_eq!(check("000000", NOW), PasswordAnswer::Wrong { attempts_left: left });
    }
    let until_ms = NOW + 30 * MINUTE;
    assert_eq!(check("000000", NOW), PasswordAnswer::Locked { until_ms });
    assert_eq!(check("258036", until_ms - 1), PasswordAnswer::Locked { until_ms }, "the right one is not taken either");
    for _ in 0..4 {
        check("000000", until_ms);
    }
    assert_eq!(check("000000", until_ms), PasswordAnswer::Locked { until_ms: until_ms + HOUR }, "the second lock is longer");
    vault.clear_attempts(holder).unwrap();
    assert_eq!(check("258036", until_ms), PasswordAnswer::Right { holder }, "a code to the phone is the way back");
    assert_eq!(check("000000", until_ms), PasswordAnswer::Wrong { attempts_left: 4 }, "a right one starts the count again");
}

#[test]
fn unknown_and_unregistered_people_lock_exactly_like_known_ones() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let known = fixture.person();
    vault.set_password(known, &secret("258036"), NOW).unwrap();
    put(vault, "990101195802140048", "没有注册", None);
    let answers = |id_number: &str| (0..7).map(|step| vault.check_password(id_number, &secret("000000"), NOW + step).unwrap()).collect::<Vec<_>>();
    let expected = answers(ID_NUMBER);
    assert_eq!(answers("990101195802140048"), expected, "on file, no password");
    assert_eq!(answers("990101195802140099"), expected, "nobody");
}

#[test]
fn parallel_guesses_share_one_budget() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    fixture.vault.set_password(holder, &secret("258036"), NOW).unwrap();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..12)
            .map(|guess| {
                let vault = fixture.vault.clone();
                scope.spawn(move || vault.check_password(ID_NUMBER, &secret(&format!("{guess:06}")), NOW).unwrap())
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    let wrong = answers.iter().filter(|answer| matches!(answer, PasswordAnswer::Wrong { .. })).count();
    let locked = answers.iter().filter(|answer| matches!(answer, PasswordAnswer::Locked { .. })).count();
    assert_eq!((wrong, locked), (4, 8));
}

#[test]
fn a_password_survives_a_restart_and_needs_the_pepper() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    fixture.vault.set_password(holder, &secret("258036"), NOW).unwrap();
    assert!(fixture.vault.has_password(holder).unwrap());
    let fixture = fixture.reopen();
    let right = PasswordAnswer::Right { holder };
    assert_eq!(fixture.vault.check_password(ID_NUMBER, &secret("258036"), NOW).unwrap(), right);
    let pepper = fixture.dir.path().join("keys/pepper");
    fs::write(&pepper, "0".repeat(64)).unwrap();
    let fixture = fixture.reopen();
    assert_ne!(fixture.vault.check_password(ID_NUMBER, &secret("258036"), NOW).unwrap(), right);
}

#[test]
fn a_hash_made_the_old_way_is_renewed_by_the_right_password() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let vault = &fixture.vault;
    vault.set_password(holder, &secret("258036"), NOW).unwrap();
    let algorithm = || vault.read(|db, _| db.row("select algorithm from credential", (), |row| row.get::<String>(0))).unwrap().unwrap();
    let current = algorithm();
    vault.write(|tx, _| tx.execute("update credential set algorithm = 'argon2id-old'", ())).unwrap();
    vault.check_password(ID_NUMBER, &secret("000000"), NOW).unwrap();
    assert_eq!(algorithm(), "argon2id-old");
    vault.check_password(ID_NUMBER, &secret("258036"), NOW).unwrap();
    assert_eq!(algorithm(), current);
    assert_eq!(vault.check_password(ID_NUMBER, &secret("258036"), NOW).unwrap(), PasswordAnswer::Right { holder });
}

#[test]
fn a_session_ends_when_idle_and_in_any_case_after_twelve_hours() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let vault = &fixture.vault;
    let (token, session) = vault.start_session(holder, "手机", NOW).unwrap();
    let alive = |now_ms| vault.session(&token, now_ms).unwrap().is_some();
    assert_eq!(vault.session_in_memory(&token, NOW), InMemory::Unknown);
    assert!(alive(NOW));
    assert_eq!(vault.session_in_memory(&token, NOW), InMemory::Live(session));
    let mut now_ms = NOW;
    while now_ms + SESSION_IDLE_MS - 1 < NOW + SESSION_MS_MAX {
        now_ms += SESSION_IDLE_MS - 1;
        assert!(alive(now_ms), "used in time, {} minutes in", (now_ms - NOW) / MINUTE);
    }
    assert!(!alive(NOW + SESSION_MS_MAX), "twelve hours are over");
    let (idle, _) = vault.start_session(holder, "手机", NOW).unwrap();
    assert!(vault.session(&idle, NOW + SESSION_IDLE_MS).unwrap().is_none());
    assert_eq!(vault.session_in_memory(&idle, NOW + SESSION_IDLE_MS), InMemory::Ended);
}

#[test]
fn the_last_use_outlives_a_restart_and_a_sweep() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let (token, _) = fixture.vault.start_session(holder, "手机", NOW).unwrap();
    let used_ms = NOW + 20 * MINUTE;
    assert!(fixture.vault.session(&token, used_ms).unwrap().is_some());
    fixture.vault.sweep(NOW + 40 * MINUTE).unwrap();
    assert_eq!(fixture.vault.sessions(holder, NOW + 40 * MINUTE).unwrap()[0].session.last_seen_ms, used_ms);
    let fixture = fixture.reopen();
    assert!(fixture.vault.session(&token, NOW + 40 * MINUTE).unwrap().is_some());
    fixture.vault.sweep(NOW + 13 * HOUR).unwrap();
    assert!(fixture.vault.sessions(holder, NOW).unwrap().is_empty());
}

#[test]
fn revoking_takes_effect_at_once_for_one_device_and_for_all() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let vault = &fixture.vault;
    let devices: Vec<_> = ["手机", "平板", "电脑"].iter().enumerate().map(|(at, label)| vault.start_session(holder, label, NOW + at as i64).unwrap()).collect();
    let alive = |at: usize| vault.session(&devices[at].0, NOW + 9).unwrap().is_some();
    assert!(alive(0) && alive(1) && alive(2));
    let labels: Vec<_> = vault.sessions(holder, NOW + 9).unwrap().into_iter().map(|device| device.label).collect();
    assert_eq!(labels, ["电脑", "平板", "手机"]);
    assert!(!vault.revoke_session(holder + 1, devices[0].1.id).unwrap(), "not another person's");
    assert!(alive(0));
    assert!(vault.revoke_session(holder, devices[0].1.id).unwrap());
    assert!(!alive(0) && alive(1) && alive(2));
    assert_eq!(vault.revoke_sessions(holder, Some(devices[1].1.id)).unwrap(), 1);
    assert!(alive(1) && !alive(2));
    vault.end_session(&devices[1].0).unwrap();
    assert!(!alive(1));
}

#[test]
fn the_eleventh_device_logs_out_the_one_used_longest_ago() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let tokens: Vec<_> = (0..=SESSIONS_PER_HOLDER_MAX as i64).map(|at| fixture.vault.start_session(holder, "手机", NOW + at).unwrap().0).collect();
    let alive = |token| fixture.vault.session(token, NOW + 20).unwrap().is_some();
    assert!(!alive(&tokens[0]));
    assert!(tokens[1..].iter().all(alive));
}

#[test]
fn a_token_nobody_gave_out_is_no_session() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    let (token, _) = fixture.vault.start_session(holder, "手机", NOW).unwrap();
    let mut guess: Vec<char> = token.reveal().chars().collect();
    guess[20] = if guess[20] == 'A' { 'B' } else { 'A' };
    let guess = SessionToken::parse(&guess.iter().collect::<String>()).unwrap();
    assert_eq!(fixture.vault.session(&guess, NOW).unwrap(), None);
    for bad in ["", "abc", &"é".repeat(23), &format!("{}A", token.reveal())] {
        assert_eq!(SessionToken::parse(bad), None, "{bad}");
    }
}

fn ask(id_number: &'static str, is_deliverable: bool) -> CodeAsk<'static> {
    CodeAsk { purpose: Purpose::Register, id_number, typed_phone: None, phone_on_file: None, payload: "载荷", is_deliverable }
}

#[test]
fn a_code_fits_its_ticket_and_purpose_once_within_five_minutes() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let started = vault.start_code(&ask(ID_NUMBER, true), NOW).unwrap().unwrap();
    let code = started.code.clone().unwrap();
    assert!(code.reveal().len() == 6 && code.reveal().bytes().all(|digit| digit.is_ascii_digit()));
    let gone = Err(CodeError::Gone);
    assert_eq!(vault.use_code(&started.ticket, Purpose::LogIn, &code, NOW).unwrap(), gone, "asked for to register, not to log in");
    assert_eq!(vault.use_code(&started.ticket, Purpose::Register, &code, NOW + CODE_MS).unwrap(), gone);
    let opened = vault.open_code(&started.ticket, Purpose::Register, &code, NOW).unwrap().unwrap();
    assert_eq!(opened.reveal(), "载荷", "looking does not use it up");
    let payload = vault.use_code(&started.ticket, Purpose::Register, &code, NOW + CODE_MS - 1).unwrap().unwrap();
    assert_eq!(payload.reveal(), "载荷");
    assert_eq!(vault.use_code(&started.ticket, Purpose::Register, &code, NOW).unwrap(), gone, "used");
    let second = vault.start_code(&ask(ID_NUMBER, true), NOW + RESEND_MS).unwrap().unwrap();
    let other = vault.start_code(&ask("990101195802140099", true), NOW).unwrap().unwrap();
    let foreign = vault.use_code(&other.ticket, Purpose::Register, &second.code.unwrap(), NOW).unwrap();
    assert_eq!(foreign, Err(CodeError::Wrong { attempts_left: 4 }), "another ticket's code");
}

#[test]
fn a_code_is_dead_after_five_wrong_attempts_and_one_for_nobody_looks_the_same() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    for (id_number, is_deliverable) in [(ID_NUMBER, true), ("990101195802140099", false)] {
        let started = vault.start_code(&ask(id_number, is_deliverable), NOW).unwrap().unwrap();
        assert_eq!(started.code.is_some(), is_deliverable);
        assert_eq!((started.ticket.len(), started.expires_ms), (24, NOW + CODE_MS));
        for left in [4, 3, 2, 1] {
            let answer = vault.use_code(&started.ticket, Purpose::Register, &secret("x"), NOW).unwrap();
            assert_eq!(answer, Err(CodeError::Wrong { attempts_left: left }));
        }
        assert_eq!(vault.use_code(&started.ticket, Purpose::Register, &secret("x"), NOW).unwrap(), Err(CodeError::Gone));
        let code = started.code.unwrap_or_else(|| secret("000000"));
        assert_eq!(vault.use_code(&started.ticket, Purpose::Register, &code, NOW).unwrap(), Err(CodeError::Gone));
    }
    for bad in ["", "x", "票", "AAAA"] {
        assert_eq!(vault.use_code(bad, Purpose::Register, &secret("123456"), NOW).unwrap(), Err(CodeError::Gone));
    }
}

#[test]
fn codes_are_limited_to_one_a_minute_and_ten_a_day_for_known_and_unknown_alike() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    for is_deliverable in [true, false] {
        let ask = ask(if is_deliverable { ID_NUMBER } else { "990101195802140099" }, is_deliverable);
        let start = |now_ms| vault.start_code(&ask, now_ms).unwrap().map(|_| ());
        assert_eq!(start(NOW), Ok(()));
        assert_eq!(start(NOW + RESEND_MS - 1), Err(CodeLimit { retry_ms: NOW + RESEND_MS }));
        for step in 1..10 {
            assert_eq!(start(NOW + step * RESEND_MS), Ok(()));
        }
        let tomorrow = NOW + 24 * HOUR;
        assert_eq!(start(NOW + 10 * RESEND_MS), Err(CodeLimit { retry_ms: tomorrow }));
        assert_eq!(start(tomorrow - 1), Err(CodeLimit { retry_ms: tomorrow }));
        assert_eq!(start(tomorrow), Ok(()));
    }
}

#[test]
fn a_typed_phone_is_limited_over_all_people_and_a_phone_on_file_without_a_word() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let typed = |serial: u32, now_ms| {
        let id_number = format!("9901011958021{serial:05}");
        let ask = CodeAsk { id_number: &id_number, typed_phone: Some(PHONE), ..ask("", true) };
        vault.start_code(&ask, now_ms).unwrap().map(|started| started.code.is_some())
    };
    assert_eq!(typed(1, NOW), Ok(true));
    assert_eq!(typed(2, NOW + 1), Err(CodeLimit { retry_ms: NOW + RESEND_MS }));
    let on_file = |serial: u32, now_ms| {
        let id_number = format!("9901011958022{serial:05}");
        let ask = CodeAsk { id_number: &id_number, phone_on_file: Some("19900000002"), ..ask("", true) };
        vault.start_code(&ask, now_ms).unwrap().map(|started| started.code.is_some())
    };
    for serial in 0..10 {
        assert_eq!(on_file(serial, NOW + i64::from(serial)), Ok(true));
    }
    assert_eq!(on_file(10, NOW + 10), Ok(false), "no eleventh text, and the asker is not told");
}

#[test]
fn registering_takes_the_proven_phone_and_an_import_does_not_take_it_back() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = fixture.person();
    assert!(!vault.person(holder).unwrap().unwrap().is_registered);
    vault.register(holder, "19900000099", &secret("258036"), None, NOW).unwrap();
    put(vault, ID_NUMBER, NAME, Some("19900000055"));
    let person = vault.person(holder).unwrap().unwrap();
    assert!(person.is_registered);
    assert_eq!(person.masked_phone().unwrap(), "199****0099");
    assert_eq!(person.phone.unwrap().reveal(), "19900000099");
    let nobody = vault.register(holder + 7, PHONE, &secret("258036"), None, NOW);
    assert!(matches!(nobody, Err(VaultError::Missing(_))));
}

#[test]
fn an_office_recovery_needs_two_operators_and_serves_one_phone_once() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = fixture.person();
    let new_phone = "19900000077";
    let id = vault.request_recovery(holder, new_phone, "遗失", "op-zhang", NOW).unwrap();
    assert_eq!(vault.open_recovery(holder, new_phone, NOW).unwrap(), None, "not confirmed yet");
    assert_eq!(vault.confirm_recovery(id, " OP-zhang", NOW).unwrap(), Err(RecoveryError::SameOperator));
    assert_eq!(vault.confirm_recovery(id, "op-wang", NOW + RECOVERY_MS).unwrap(), Err(RecoveryError::Gone));
    assert_eq!(vault.confirm_recovery(id, "op-wang", NOW).unwrap(), Ok(holder));
    assert_eq!(vault.confirm_recovery(id, "op-li", NOW).unwrap(), Err(RecoveryError::AlreadyConfirmed));
    assert_eq!(vault.open_recovery(holder, PHONE, NOW).unwrap(), None, "another phone");
    assert_eq!(vault.open_recovery(holder, new_phone, NOW + RECOVERY_MS).unwrap(), None, "lapsed");
    assert_eq!(vault.open_recovery(holder, new_phone, NOW).unwrap(), Some(id));
    vault.register(holder, new_phone, &secret("258036"), Some(id), NOW).unwrap();
    assert_eq!(vault.open_recovery(holder, new_phone, NOW).unwrap(), None, "used");
    assert!(vault.register(holder, new_phone, &secret("147036"), Some(id), NOW).is_err(), "used once");
    let right = vault.check_password(ID_NUMBER, &secret("258036"), NOW).unwrap();
    assert_eq!(right, PasswordAnswer::Right { holder }, "the refused registration changed nothing");
    let seen = &vault.recoveries(holder).unwrap()[0];
    assert_eq!((seen.made_by.as_str(), seen.confirmed_by.as_deref(), seen.is_used), ("op-zhang", Some("op-wang"), true));
    assert_eq!(vault.confirm_recovery(id + 9, "op-wang", NOW).unwrap(), Err(RecoveryError::Gone));
}

#[test]
fn messages_are_listed_newest_first_and_read_by_their_owner_only() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let holder = fixture.person();
    let other = put(vault, "990101195802140048", "王芳", None).holder();
    let ids: Vec<_> = (0..5).map(|at| vault.put_message(holder, Channel::Notice, None, &format!("第{at}条"), NOW + at).unwrap()).collect();
    vault.put_message(other, Channel::Sms, Some(PHONE), "别人的", NOW + 9).unwrap();
    let texts = |messages: Vec<Message>| messages.iter().map(|message| message.text.reveal().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(vault.messages(holder, None, 2).unwrap()), ["第4条", "第3条"]);
    assert_eq!(texts(vault.messages(holder, Some(ids[3]), 9).unwrap()), ["第2条", "第1条", "第0条"]);
    assert_eq!(texts(vault.newest_messages(2).unwrap()), ["别人的", "第4条"]);
    assert_eq!(vault.unread_count(holder).unwrap(), 5);
    assert!(!vault.mark_read(other, ids[0], NOW).unwrap());
    assert!(vault.mark_read(holder, ids[0], NOW).unwrap());
    assert_eq!(vault.unread_count(holder).unwrap(), 4);
    assert_eq!(vault.mark_all_read(holder, NOW).unwrap(), 4);
    assert_eq!(vault.unread_count(holder).unwrap(), 0);
}

#[test]
fn an_institution_key_works_until_it_is_revoked() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let key = vault.issue_institution_key(2, "H99010100001", NOW).unwrap();
    let owner = |key: &str| vault.verify_institution_key(key).unwrap().map(|code| code.to_string());
    assert_eq!(vault.institution_key_in_memory(key.reveal()), None);
    assert_eq!(owner(key.reveal()).as_deref(), Some("H99010100001"));
    assert_eq!(vault.institution_key_in_memory(key.reveal()), Some(Some(Arc::from("H99010100001"))));
    let (head, secret_part) = key.reveal().rsplit_once('.').unwrap();
    for bad in
        ["", "gk", "gk..", head, &format!("{head}.{}x", &secret_part[1..]), &format!("gk.ffff000000000000.{secret_part}"), "gk.é.xxxxxxxxxxxxxxxxxxxxxxxx"]
    {
        assert_eq!(owner(bad), None, "{bad}");
    }
    let listed = vault.institution_keys(2, "H99010100001").unwrap();
    assert!(vault.revoke_institution_key(&listed[0].key_id, NOW + 1).unwrap());
    assert_eq!(owner(key.reveal()), None);
    assert_eq!(vault.institution_keys(2, "H99010100001").unwrap()[0].revoked_ms, Some(NOW + 1));
    assert!(!vault.revoke_institution_key("é", NOW).unwrap());

    let sample = secret("gk.0001sandbox1.sandbox-only-0000000000000001");
    vault.put_institution_key("P99010100002", &sample, NOW).unwrap();
    vault.put_institution_key("P99010100002", &sample, NOW + 5).unwrap();
    assert_eq!(owner(sample.reveal()).as_deref(), Some("P99010100002"));
}

#[test]
fn consents_are_kept_with_their_text_even_after_they_are_withdrawn() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let parent = fixture.person();
    let child = put(vault, "990101195802140048", "王芳", None).holder();
    let id = vault.put_consent(parent, child, "act-on-behalf", "2026-01", NOW).unwrap();
    assert!(!vault.withdraw_consent(child, id, NOW + 1).unwrap(), "not by a stranger's number");
    assert!(vault.withdraw_consent(parent, id, NOW + 2).unwrap());
    assert!(!vault.withdraw_consent(parent, id, NOW + 3).unwrap(), "once");
    let consents = vault.consents(parent).unwrap();
    assert_eq!((consents[0].given_by, consents[0].text_version.as_str(), consents[0].withdrawn_ms), (child, "2026-01", Some(NOW + 2)));
}

#[test]
fn the_sandbox_face_passes_unless_told_otherwise() {
    let fixture = Fixture::new();
    let holder = fixture.person();
    assert_eq!(fixture.vault.sandbox_face(holder).unwrap(), SandboxFace::Pass);
    fixture.vault.set_sandbox_face(holder, SandboxFace::Unavailable).unwrap();
    assert_eq!(fixture.vault.sandbox_face(holder).unwrap(), SandboxFace::Unavailable);
    assert_eq!(SandboxFace::parse("fail"), Some(SandboxFace::Fail));
}

#[test]
fn the_sweep_leaves_no_expired_codes_or_counters() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.start_code(&ask(ID_NUMBER, true), NOW).unwrap().unwrap();
    vault.check_password(ID_NUMBER, &secret("000000"), NOW).unwrap();
    assert_eq!(vault.sweep(NOW + 1).unwrap(), 0);
    assert_eq!(vault.sweep(NOW + CODE_MS).unwrap(), 1);
    assert_eq!(vault.sweep(NOW + 8 * 24 * HOUR).unwrap(), 2);
}

#[test]
fn sessions_move_along_when_the_sandbox_clock_jumps() {
    let fixture = Fixture::new();
    let (holder, vault) = (fixture.person(), &fixture.vault);
    let (token, session) = vault.start_session(holder, "手机", NOW).unwrap();
    let month = 31 * 86_400_000;
    assert!(vault.session(&token, NOW).unwrap().is_some());
    assert_eq!(vault.sandbox_clock().unwrap(), 0);
    vault.move_sandbox_clock(month, NOW + month).unwrap();
    assert_eq!(vault.sandbox_clock().unwrap(), NOW + month);
    let carried = vault.session(&token, NOW + month).unwrap().unwrap();
    assert_eq!((carried.id, carried.ends_ms), (session.id, session.ends_ms + month));
}

fn gateway_message<'text>(msgid: &'text str, fingerprint: &'text [u8; 32]) -> NewGatewayMessage<'text> {
    NewGatewayMessage { part: 2, institution: "H99010100001", msgid, infno: "2207", fingerprint, request: "{\"psn_name\":\"李秀兰\"}" }
}

#[test]
fn a_message_number_stands_for_one_message_and_gets_one_answer() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let (one, other) = (gateway_message("M1", &[1; 32]), gateway_message("M1", &[2; 32]));
    let begun = vault.begin_gateway_message(&one, NOW).unwrap();
    assert!(matches!(begun, BegunMessage::Open { .. }));
    assert_eq!(vault.begin_gateway_message(&one, NOW + 1).unwrap(), begun, "nothing was decided yet");
    assert_eq!(vault.begin_gateway_message(&other, NOW).unwrap(), BegunMessage::Other);
    let infno = NewGatewayMessage { infno: "2208", ..one };
    assert_eq!(vault.begin_gateway_message(&infno, NOW).unwrap(), BegunMessage::Other);
    // A passing answer is kept to be looked at, and not given again.
    let answer = |text: &str, is_final| vault.answer_gateway_message(2, "H99010100001", "M1", text, is_final, NOW + 5).unwrap();
    assert_eq!(answer("busy", false).reveal(), "busy");
    assert_eq!(vault.begin_gateway_message(&one, NOW).unwrap(), begun);
    // Of two at work the first answer counts.
    assert_eq!(answer("settled 4711", true).reveal(), "settled 4711");
    assert_eq!(answer("settled otherwise", true).reveal(), "settled 4711");
    let fixture = fixture.reopen();
    assert_eq!(fixture.vault.begin_gateway_message(&one, NOW).unwrap(), BegunMessage::Answered("settled 4711".into()));
    let kept = fixture.vault.gateway_message(2, "H99010100001", "M1").unwrap().unwrap();
    assert_eq!((kept.request.reveal(), kept.is_final, kept.received_ms, kept.answered_ms), (one.request, true, NOW, Some(NOW + 5)));
    assert_eq!(fixture.vault.gateway_message(2, "H99010100002", "M1").unwrap(), None);
    let raw = fixture.raw_bytes();
    for canary in ["李秀兰", "psn_name", "settled 4711"] {
        assert!(!raw.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary} stands in the file");
    }
}

#[test]
fn a_number_is_taken_out_of_use_before_its_message_comes_or_not_at_all() {
    let fixture = Fixture::new();
    let bar = |msgid| gateway_message(msgid, &[0; 32]);
    assert!(fixture.vault.bar_gateway_message(&bar("M1"), NOW).unwrap());
    assert!(fixture.vault.bar_gateway_message(&bar("M1"), NOW).unwrap(), "the same bar");
    assert_eq!(fixture.vault.begin_gateway_message(&gateway_message("M1", &[7; 32]), NOW).unwrap(), BegunMessage::Other);
    fixture.vault.begin_gateway_message(&gateway_message("M2", &[7; 32]), NOW).unwrap();
    assert!(!fixture.vault.bar_gateway_message(&bar("M2"), NOW).unwrap());
}

#[test]
fn messages_sign_ins_and_files_of_institutions_go_when_their_time_is_over() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    for (msgid, at) in [("M1", NOW), ("M2", NOW + HOUR)] {
        vault.begin_gateway_message(&gateway_message(msgid, &[1; 32]), at).unwrap();
    }
    let sign = GatewaySign { institution: "H99010100001".to_owned(), opter: "7".to_owned(), ends_ms: NOW + HOUR };
    vault.put_gateway_sign(2, "S1", &sign, NOW).unwrap();
    vault.put_gateway_sign(2, "S2", &sign, NOW).unwrap();
    vault.end_gateway_sign(2, "S2", NOW + MINUTE).unwrap();
    assert_eq!(vault.gateway_sign(2, "S1").unwrap(), Some(sign.clone()));
    assert_eq!(vault.gateway_sign(2, "S2").unwrap().unwrap().ends_ms, NOW + MINUTE);
    let file = GatewayFile { institution: "H99010100001", file_no: "F1", name: "a.txt", body: "body", ends_ms: NOW + HOUR };
    vault.put_gateway_file(2, &file, NOW).unwrap();
    vault.put_gateway_file(2, &GatewayFile { name: "b.txt", body: "another", ..file }, NOW).unwrap();
    assert_eq!(vault.gateway_file(2, "H99010100001", "F1", NOW).unwrap().unwrap(), ("a.txt".to_owned(), "body".into()));
    assert_eq!(vault.gateway_file(2, "H99010100002", "F1", NOW).unwrap(), None);
    assert_eq!(vault.gateway_file(2, "H99010100001", "F1", NOW + HOUR).unwrap(), None);
    assert_eq!(vault.sweep_gateway(NOW + HOUR, NOW + MINUTE).unwrap(), 2, "a message and a sign-in");
    assert!(vault.gateway_message(2, "H99010100001", "M1").unwrap().is_none() && vault.gateway_message(2, "H99010100001", "M2").unwrap().is_some());
    assert_eq!(vault.sweep_gateway(NOW, NOW + HOUR).unwrap(), 2, "the other sign-in and the file");
}

#[test]
fn one_of_several_processes_does_a_job_and_a_failure_is_tried_again_later() {
    let fixture = Fixture::new();
    let (one, other) = (&fixture.vault, &open(fixture.dir.path(), fixture.database.as_ref(), 4).unwrap());
    assert_eq!(one.begin_job("sweep", 100, MINUTE, NOW).unwrap(), BeginJob::Begun { since: None });
    assert_eq!(other.begin_job("sweep", 100, MINUTE, NOW + 1).unwrap(), BeginJob::NotNow, "somebody is at it");
    one.end_job("sweep", 100, NOW, &Ok(7), NOW + 2).unwrap();
    assert_eq!(other.begin_job("sweep", 100, MINUTE, NOW + 3).unwrap(), BeginJob::NotNow, "it is done");
    assert_eq!(other.begin_job("sweep", 200, MINUTE, NOW + 4).unwrap(), BeginJob::Begun { since: Some(100) });
    other.end_job("sweep", 200, NOW + 4, &Err("the disk is full ".repeat(100)), NOW + 5).unwrap();
    let [failed] = &one.jobs().unwrap()[..] else { panic!("one job") };
    assert_eq!((failed.done_ms, failed.count, failed.failures), (Some(100), 7, 1));
    assert_eq!(failed.trouble.as_ref().unwrap().chars().count(), TROUBLE_LEN_MAX);
    assert_eq!(one.begin_job("sweep", 200, MINUTE, NOW + 4 + MINUTE).unwrap(), BeginJob::NotNow, "not before a minute has passed");
    assert_eq!(one.begin_job("sweep", 200, MINUTE, NOW + 5 + MINUTE).unwrap(), BeginJob::Begun { since: Some(100) });
    one.end_job("sweep", 200, NOW + 5 + MINUTE, &Ok(0), NOW + 6 + MINUTE).unwrap();
    assert_eq!((other.jobs().unwrap()[0].trouble.as_ref(), other.jobs().unwrap()[0].failures), (None, 0));
}

#[test]
fn who_died_at_a_job_is_replaced_and_cannot_end_another_ones_run() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.begin_job("sweep", 100, MINUTE, NOW).unwrap();
    assert_eq!(vault.begin_job("sweep", 100, MINUTE, NOW + JOB_RUN_MS - 1).unwrap(), BeginJob::NotNow);
    assert_eq!(vault.begin_job("sweep", 100, MINUTE, NOW + JOB_RUN_MS).unwrap(), BeginJob::Begun { since: None });
    vault.end_job("sweep", 100, NOW, &Ok(1), NOW + JOB_RUN_MS + 1).unwrap();
    assert_eq!(vault.jobs().unwrap()[0].ended_ms, None, "the first one comes too late");
    vault.end_job("sweep", 100, NOW + JOB_RUN_MS, &Ok(2), NOW + JOB_RUN_MS + 2).unwrap();
    assert_eq!((vault.jobs().unwrap()[0].done_ms, vault.jobs().unwrap()[0].count), (Some(100), 2));
}

#[test]
fn messages_and_proofs_of_consent_go_when_their_time_is_over_and_not_before() {
    let fixture = Fixture::new();
    let (holder, vault) = (fixture.person(), &fixture.vault);
    for at in [NOW, NOW + 1, NOW + HOUR] {
        vault.put_message(holder, Channel::Notice, None, "到账 100 元", at).unwrap();
    }
    let (standing, withdrawn) = (vault.put_consent(holder, holder, "register", "1", NOW).unwrap(), vault.put_consent(holder, holder, "act", "1", NOW).unwrap());
    assert!(vault.withdraw_consent(holder, withdrawn, NOW + HOUR).unwrap());
    assert_eq!(vault.retire(NOW + MESSAGE_MS).unwrap(), 0);
    assert_eq!(vault.retire(NOW + MESSAGE_MS + 2).unwrap(), 2);
    assert_eq!(vault.messages(holder, None, 10).unwrap().len(), 1);
    assert_eq!(vault.retire(NOW + PROOF_MS + HOUR + 1).unwrap(), 2, "the last message and the withdrawn consent");
    assert_eq!(vault.consents(holder).unwrap().iter().map(|consent| consent.id).collect::<Vec<_>>(), [standing]);
}
