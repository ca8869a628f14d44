//! What people and cashiers type.
#![no_main]

use gongji::service::key::IdempotencyKey;
use gongji::service::payment::{order_id, parse_code};
use gongji_ledger::InstitutionId;
use gongji_wallet::area::Area;
use gongji_wallet::citizen::{CitizenNumber, InstitutionCode, PersonName, Phone, SocialCreditCode};
use gongji_wallet::relation::RelationCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(number) = CitizenNumber::parse(text) {
        let again = CitizenNumber::parse(number.as_str()).map(|again| again.as_str().to_owned());
        assert_eq!(again.ok().as_deref(), Some(number.as_str()));
    }
    if let Ok(code) = InstitutionCode::parse(text) {
        assert_eq!(InstitutionId::parse(code.as_str()).map(|id| id.to_string()).as_deref(), Some(code.as_str()));
    }
    let _ = (Phone::parse(text), PersonName::parse(text), SocialCreditCode::parse(text), RelationCode::parse(text));
    let _ = (parse_code(text), order_id(InstitutionId(1), text));
    for amount in [gongji_files::parse_yuan(text), gongji_files::parse_typed_yuan(text)].into_iter().flatten() {
        assert_eq!(gongji_files::parse_yuan(&amount.to_string()), Ok(amount));
        assert_eq!(gongji_files::parse_typed_yuan(&gongji_files::format_yuan(amount)), Ok(amount));
        let _ = gongji_files::capital_amount(amount);
    }
    if let Ok(area) = Area::parse(text) {
        assert_eq!(format!("{:06}", area.get()), text);
    }
    let _ = (gongji_files::parse_date(text), gongji_files::YearMonth::parse(text), gongji_files::qr_svg(text, text), gongji::notices::read(text));
    let _ = IdempotencyKey::new("caller", "operation", text, text.as_bytes());
});
