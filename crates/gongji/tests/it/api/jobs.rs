//! What happens by itself: done once, caught up after a pause, and told to those who watch.

use super::world::{SON, World};
use gongji::jobs::{catch_up, standings};
use gongji::service::clearing;
use gongji_store::clock::Clock as _;
use gongji_store::vault::{Channel, MESSAGE_MS};
use gongji_wallet::clearing::PeriodState;
use gongji_wallet::day::{day_from_date, instant};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn what_was_missed_is_done_once_up_to_now_and_nothing_before_it_is_due() {
    let world = World::new(1).await;
    let app = &world.app;
    let of = |name: &str| standings(&app.vault.jobs().unwrap(), app.now()).into_iter().find(|found| found.name == name).unwrap();
    assert!(of("retention").state.is_none() && of("retention").lag_ms > 0);
    catch_up(app).await;
    let first = of("retention").state.unwrap();
    assert!(first.trouble.is_none() && of("retention").lag_ms == 0 && of("sweep").lag_ms == 0);

    let son = app.vault.find_by_id_number(SON.1).unwrap().unwrap();
    app.vault.put_message(son, Channel::Notice, None, "到账 100 元", app.now()).unwrap();
    world.clock.set(app.now() + HOUR_MS);
    catch_up(app).await;
    assert_eq!(of("retention").state.unwrap(), first, "not due before tomorrow");
    assert!(of("sweep").state.unwrap().done_ms > first.done_ms);

    // More than a year without the program.
    world.clock.set(app.now() + MESSAGE_MS + 24 * HOUR_MS);
    assert!(of("retention").lag_ms > 0);
    catch_up(app).await;
    assert_eq!((of("retention").state.unwrap().count, of("retention").lag_ms), (1, 0));
    assert!(app.vault.messages(son, None, 10).unwrap().is_empty());
    let now = world.clock.now();
    assert!(standings(&app.vault.jobs().unwrap(), now).iter().all(|standing| standing.due_ms > now));
}

#[tokio::test]
async fn months_are_cut_by_themselves_once_people_have_cut_the_first() {
    let world = World::new(2).await;
    let app = &world.app;
    let cut = || clearing::periods(app).unwrap().into_iter().map(|period| (period.period, period.state)).collect::<Vec<_>>();
    catch_up(app).await;
    assert!(cut().is_empty(), "nobody has begun");
    clearing::cut(app, 202_610, "陈经办").await.unwrap();
    // Ten weeks without the program: November and December, in order, January is not over.
    world.clock.set(instant(day_from_date(2027, 1, 31).unwrap(), 23 * 60));
    catch_up(app).await;
    assert_eq!(cut(), [(202_612, PeriodState::Cut), (202_611, PeriodState::Cut), (202_610, PeriodState::Cut)]);
    catch_up(app).await;
    assert_eq!(cut().len(), 3);
    world.clock.set(instant(day_from_date(2027, 2, 1).unwrap(), 0));
    catch_up(app).await;
    assert_eq!(cut()[0], (202_701, PeriodState::Cut));
    world.verify();
}
