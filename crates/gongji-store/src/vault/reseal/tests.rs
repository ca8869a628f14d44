use super::*;
use crate::postgres::PostgresStore;
use crate::postgres_server::Database;
use crate::seal::{KeyError, SealBroken, add_seal_key, retire_seal_keys};
use crate::vault::{
    Arrival, Channel, CodeAsk, GatewayFile, KeptRequest, NewGatewayMessage, NewPerson, PublicKey, Purpose, ReconciledFile, ReconciliationState, SESSION_IDLE_MS,
};

const NOW: i64 = 1_795_000_000_000;
const HOSPITAL: &str = "H99010100001";
const ID_NUMBER: &str = "990101195802140026";

/// An installation on either store.
struct Home {
    dir: tempfile::TempDir,
    database: Option<Database>,
}

impl Home {
    fn both() -> [Home; 2] {
        [false, true].map(|is_on_postgres| Home { dir: tempfile::tempdir().unwrap(), database: is_on_postgres.then(Database::new) })
    }

    fn keys(&self) -> std::path::PathBuf {
        self.dir.path().join("keys")
    }

    fn open(&self) -> Result<Vault> {
        let Some(database) = &self.database else { return Vault::open(self.dir.path(), 4) };
        let store = PostgresStore::open(&database.url(), 4)?;
        let keys = Keys::open(&self.keys(), !Vault::is_on(&store)?)?;
        Vault::open_on(&store, keys, 4)
    }
}

fn put(vault: &Vault, id_number: &str, name: &str) -> u64 {
    let person = NewPerson { id_number: id_number.into(), name: name.into(), phone: Some("19900000001".into()) };
    vault.put_person(&person, NOW).unwrap().holder()
}

/// One row at least of every table with sealed columns, none of them empty.
fn fill(vault: &Vault) -> u64 {
    let holder = put(vault, ID_NUMBER, "李秀兰");
    vault.register(holder, "19900000099", &"258036".into(), None, NOW).unwrap();
    vault.start_session(holder, "Chrome", NOW).unwrap();
    vault.put_message(holder, Channel::Sms, Some("19900000099"), "你好", NOW).unwrap();
    let ask = CodeAsk { purpose: Purpose::LogIn, id_number: ID_NUMBER, typed_phone: None, phone_on_file: None, payload: "payload", is_deliverable: true };
    vault.start_code(&ask, NOW).unwrap().unwrap();
    vault.request_recovery(holder, "19900000077", "手机丢了", "op-1", NOW).unwrap();
    let webhook = vault.put_webhook(2, HOSPITAL, &"http://hook.example/".into(), &"whsec_one".into(), &[], NOW).unwrap().unwrap();
    assert!(vault.change_webhook_secret(webhook, HOSPITAL, &"whsec_two".into(), NOW).unwrap());
    let key = PublicKey {
        key_id: "k1".to_owned(),
        institution: HOSPITAL.to_owned(),
        profile: "ed25519".to_owned(),
        pem: "-".to_owned(),
        made_ms: NOW,
        expires_ms: None,
        revoked_ms: None,
    };
    vault.register_public_key(&key, NOW).unwrap();
    let arrival = Arrival {
        part: 2,
        institution: HOSPITAL.to_owned(),
        key_id: "k1".to_owned(),
        nonce: "n1".to_owned(),
        ends_ms: NOW + 1,
        now_ms: NOW,
        address: "192.0.2.1".parse().unwrap(),
        certificate: None,
        needs_certificate: false,
        kept: Some(KeptRequest { idempotency_key: None, text: "POST /".into() }),
    };
    vault.admit(&[arrival]).unwrap();
    let message = NewGatewayMessage { part: 2, institution: HOSPITAL, msgid: "M1", infno: "2207", fingerprint: &[1; 32], request: "asked" };
    vault.begin_gateway_message(&message, NOW).unwrap();
    vault.answer_gateway_message(2, HOSPITAL, "M1", "answered", true, NOW).unwrap();
    let file = GatewayFile { institution: HOSPITAL, file_no: "F1", name: "a.txt", body: "body", ends_ms: NOW + 1_000 };
    vault.put_gateway_file(2, &file, NOW).unwrap();
    let file = ReconciledFile { part: 2, institution: HOSPITAL.to_owned(), day: 20_779, clr_type: 11, insutype: 310, digest: [1; 32] };
    let (id, _) = vault.begin_reconciliation(&file, NOW, NOW).unwrap();
    vault.end_reconciliation(2, id, ReconciliationState::Done, 0, "report").unwrap();
    vault.put_operator_name(7, "严冬").unwrap();
    vault.put_operator_code(7, &"SECRET".into(), NOW).unwrap();
    vault.begin_ceremony(7, &"asked".into(), NOW).unwrap();
    vault.start_operator_session(7, "Firefox", NOW).unwrap();
    holder
}

/// Everything that [`fill`] has put there, read as the program reads it.
fn read(vault: &Vault, holder: u64) {
    let person = vault.person(holder).unwrap().unwrap();
    assert_eq!((person.name.reveal(), person.id_number.reveal(), person.phone.unwrap().reveal()), ("李秀兰", ID_NUMBER, "19900000099"));
    assert_eq!(vault.sessions(holder, NOW + SESSION_IDLE_MS - 1).unwrap()[0].label, "Chrome");
    assert_eq!(vault.messages(holder, None, 9).unwrap()[0].text.reveal(), "你好");
    assert_eq!(vault.recoveries(holder).unwrap()[0].phone.reveal(), "19900000077");
    let webhook = &vault.webhooks(2, HOSPITAL).unwrap()[0];
    assert_eq!(
        (webhook.url.reveal(), webhook.secret.reveal(), webhook.old_secret.as_ref().unwrap().0.reveal()),
        ("http://hook.example/", "whsec_two", "whsec_one")
    );
    assert_eq!(vault.signed_requests(2, HOSPITAL, "n1").unwrap()[0].text.reveal(), "POST /");
    let message = vault.gateway_message(2, HOSPITAL, "M1").unwrap().unwrap();
    assert_eq!((message.request.reveal(), message.answer.unwrap().reveal()), ("asked", "answered"));
    assert_eq!(vault.gateway_file(2, HOSPITAL, "F1", NOW).unwrap().unwrap().1.reveal(), "body");
    assert_eq!(vault.operator_names().unwrap()[&7].reveal(), "严冬");
    assert_eq!(vault.operator_code(7).unwrap().unwrap().secret.reveal(), "SECRET");
    assert_eq!(vault.operator_sessions(Some(7), NOW).unwrap()[0].label, "Firefox");
    let reconciliation = vault.reconciliations(2, HOSPITAL, None, 9).unwrap()[0].id;
    assert_eq!(vault.reconciliation(2, HOSPITAL, reconciliation).unwrap().unwrap().1.unwrap(), "report");
}

fn go_through(vault: &Vault) -> Reseal {
    let mut reseal = Reseal::default();
    while vault.reseal_some(&mut reseal).unwrap() {}
    reseal
}

#[test]
fn no_sealed_column_is_forgotten() {
    for home in Home::both() {
        let vault = home.open().unwrap();
        let sql = match &home.database {
            None => {
                "select m.name || '.' || c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name like 'sealed~_%' escape '~'"
            }
            Some(_) => {
                "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public' and column_name like 'sealed~_%' escape '~'"
            }
        };
        let mut columns = vault.read(|db, _| db.rows(sql, (), |row| row.get::<String>(0))).unwrap();
        columns.sort();
        assert_eq!(columns, known_columns(), "a change of keys must know every sealed column: vault/reseal.rs");
    }
}

#[test]
fn everything_is_sealed_anew_beside_a_running_program_and_the_old_key_is_needed_no_more() {
    for home in Home::both() {
        let running = home.open().unwrap();
        let holder = fill(&running);
        let count = running.sealed_by_key().unwrap()[&1];
        for column in known_columns() {
            let (table, column) = column.split_once('.').unwrap();
            let sql = format!("select count(*) from {table} where {column} is not null");
            assert!(running.read(|db, _| db.row(&sql, (), |row| row.get::<i64>(0))).unwrap() > Some(0), "{table}.{column} is tried");
        }
        assert_eq!(add_seal_key(&home.keys()).unwrap(), 2);
        let office = home.open().unwrap();
        office.begin_reseal().unwrap();
        let done = go_through(&office);
        assert_eq!((done.resealed, done.damaged), (count, 0));
        assert_eq!(office.sealed_by_key().unwrap(), BTreeMap::from([(2, count)]));
        assert_eq!(go_through(&office).resealed, 0);
        // Who has worked all the time reads it, and what it writes now is sealed with the new key.
        read(&running, holder);
        put(&running, "990101199003040019", "王芳");
        assert_eq!(running.sealed_by_key().unwrap().keys().copied().collect::<Vec<_>>(), [2]);
        drop((running, office));
        assert_eq!(retire_seal_keys(&home.keys()).unwrap(), [1]);
        let after = home.open().unwrap();
        assert_eq!(after.keys().seal_keys(), [2]);
        read(&after, holder);
    }
}

#[test]
fn a_crash_on_the_way_loses_nothing_and_the_rest_is_found() {
    for home in Home::both() {
        let running = home.open().unwrap();
        let people: Vec<NewPerson> = (0..RESEAL_ROWS_MAX + 20)
            .map(|serial| NewPerson { id_number: format!("9901011990010{serial:05}").into(), name: "王芳".into(), phone: None })
            .collect();
        running.put_persons(&people, NOW).unwrap();
        add_seal_key(&home.keys()).unwrap();
        let crashing = home.open().unwrap();
        crashing.begin_reseal().unwrap();
        let mut reseal = Reseal::default();
        assert!(crashing.reseal_some(&mut reseal).unwrap());
        assert_eq!(reseal.resealed, 2 * RESEAL_ROWS_MAX as u64, "one step is bounded: name and number of so many rows");
        drop(crashing);
        let again = home.open().unwrap();
        // Behind its back, by one who has not heard of the key: what is written before the place where it is now.
        let mut reseal = Reseal::default();
        assert!(again.reseal_some(&mut reseal).unwrap());
        put(&running, ID_NUMBER, "李秀兰");
        while again.reseal_some(&mut reseal).unwrap() {}
        assert_eq!(again.sealed_by_key().unwrap().get(&1), Some(&3));
        assert_eq!(reseal.resealed, 40);
        assert_eq!(go_through(&again).resealed, 3);
        assert_eq!(again.sealed_by_key().unwrap().keys().copied().collect::<Vec<_>>(), [2]);
        assert!(again.match_person(ID_NUMBER, "李秀兰").unwrap().is_some());
    }
}

#[test]
fn a_damaged_value_is_named_and_keeps_its_key_in_use() {
    for home in Home::both() {
        let vault = home.open().unwrap();
        let holder = put(&vault, ID_NUMBER, "李秀兰");
        let swapped = "update person set sealed_name = sealed_id_number";
        vault.write(|tx, _| tx.execute(swapped, ())).unwrap();
        add_seal_key(&home.keys()).unwrap();
        let vault = home.open().unwrap();
        let done = go_through(&vault);
        assert_eq!((done.resealed, done.damaged, done.damaged_at), (2, 1, vec![("person", "name", holder)]));
        assert_eq!(vault.sealed_by_key().unwrap(), BTreeMap::from([(1, 1), (2, 2)]));
        assert!(matches!(vault.person(holder), Err(VaultError::Sealed(SealBroken { column: "name", .. }))));
    }
}

#[test]
fn a_ring_from_before_the_change_is_refused() {
    for home in Home::both() {
        drop(home.open().unwrap());
        let ring = home.keys().join("keyring");
        let before = std::fs::read(&ring).unwrap();
        add_seal_key(&home.keys()).unwrap();
        home.open().unwrap().begin_reseal().unwrap();
        std::fs::write(&ring, before).unwrap();
        assert!(matches!(home.open(), Err(VaultError::OldKeys { newest: 1, wanted: 2 })));
        std::fs::remove_file(&ring).unwrap();
        assert!(matches!(home.open(), Err(VaultError::Keys(KeyError::Missing { .. }))));
    }
}
