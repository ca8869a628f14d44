//! Operators as the program finds them, and the writing down of what they do.

use super::{Result, sort};
use crate::app::App;
use gongji_wallet::ids::{Key, OperatorId};
use gongji_wallet::object::Object;
use gongji_wallet::operator::{Deed, Operator, Operators};
use gongji_wallet::{Command, Reason, Request};
use std::sync::Arc;

/// All operators as committed.
pub fn operators(app: &App) -> Result<Operators> {
    Ok(match app.engine.object(0, Key::Operators)?.as_deref() {
        Some(Object::Operators(operators)) => Operators::clone(operators),
        _ => Operators::default(),
    })
}

/// One operator, at work or not.
///
/// # Errors
/// `NOT_FOUND`.
pub fn operator(app: &App, id: OperatorId) -> Result<Arc<Operator>> {
    Ok(match app.engine.object(0, Key::Operators)?.as_deref() {
        Some(Object::Operators(operators)) => operators.get(id).cloned().ok_or(Reason::NotFound)?,
        _ => return Err(Reason::NotFound.into()),
    })
}

/// Writes down what an operator does or is about to look at. Whatever is shown for it is shown after this has returned.
///
/// # Errors
/// `NOT_AUTHORISED` where the operator works no more, `SETTING_REFUSED` where the paper's number may name a person.
pub async fn act(app: &App, operator: OperatorId, deed: Deed) -> Result<()> {
    in_directory(app, Command::Act { operator, deed }).await
}

/// The first operators, by whoever holds the machine.
///
/// # Errors
/// `NOT_AUTHORISED` where an administrator works already.
pub async fn appoint_first(app: &App, operators: Vec<Operator>) -> Result<()> {
    in_directory(app, Command::AppointFirst(operators)).await
}

/// Ends an operator's work at once, by whoever holds the machine.
pub async fn suspend(app: &App, operator: OperatorId) -> Result<()> {
    in_directory(app, Command::SuspendOperator { operator }).await
}

pub(super) async fn in_directory(app: &App, command: Command) -> Result<()> {
    sort(app.engine.ask(0, Request { idempotency: None, command }).await?.decision).map(drop)
}
