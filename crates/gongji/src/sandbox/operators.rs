//! The sandbox's operators: one or two of each role, in the nation, a province and two towns. The door of the console shows their codes.

use crate::app::App;
use crate::service::operator::{appoint_first, operators};
use crate::service::sign_in::put_sample;
use crate::service::{ServiceError, sign_in};
use gongji_wallet::ids::OperatorId;
use gongji_wallet::operator::{Operator, Role};
use gongji_wallet::rules::Scope;

/// Login, name, where, roles. Invented names, as of everybody here.
const SAMPLES: [(&str, &str, Scope, &[Role]); 13] = [
    ("guanli-1", "郑平", Scope::Nation, &[Role::Administrator]),
    ("guanli-2", "周宁", Scope::Nation, &[Role::Administrator]),
    ("shenji", "秦朗", Scope::Nation, &[Role::Auditor]),
    ("caiwu-1", "许清", Scope::Nation, &[Role::Finance]),
    ("caiwu-2", "何田", Scope::Nation, &[Role::Finance]),
    ("jingban", "吕安", Scope::Nation, &[Role::Operator]),
    ("fuhe", "施远", Scope::Nation, &[Role::Reviewer]),
    ("sc-jingban", "张禾", Scope::Province(510_000), &[Role::Operator]),
    ("sc-fuhe", "孔静", Scope::Province(510_000), &[Role::Reviewer]),
    ("lz-jingban", "曹岩", Scope::Area(510_500), &[Role::Operator]),
    ("lz-fuhe", "严冬", Scope::Area(510_500), &[Role::Reviewer]),
    ("jn-jingban", "华云", Scope::Area(370_100), &[Role::Operator]),
    ("jn-fuhe", "金水", Scope::Area(370_100), &[Role::Reviewer]),
];

/// Puts them on file, where nobody is yet.
pub async fn seed(app: &App) -> Result<(), ServiceError> {
    if !operators(app)?.by_id.is_empty() {
        return Ok(());
    }
    let all = SAMPLES.iter().enumerate().map(|(at, (login, _, reach, roles))| Operator {
        id: OperatorId(u32::try_from(at + 1).expect("a dozen")),
        login: (*login).to_owned(),
        reach: *reach,
        roles: roles.to_vec(),
        is_active: true,
    });
    let all: Vec<Operator> = all.collect();
    for (operator, (_, name, ..)) in all.iter().zip(SAMPLES) {
        let id = operator.id;
        app.vault(move |vault| vault.put_operator_name(id.0, name)).await?;
        put_sample(app, id).await.map_err(|error| match error {
            sign_in::SignInError::Service(error) => error,
            _ => gongji_wallet::Reason::NotFound.into(),
        })?;
    }
    appoint_first(app, all).await
}
