use super::*;

#[test]
fn months_follow_one_another_over_the_year() {
    assert_eq!([202_611, 202_612, 209_912].map(next_month), [202_612, 202_701, 210_001]);
    assert_eq!([202_612, 202_701].map(month_before), [202_611, 202_612]);
    assert_eq!(first_day(202_611).map(month_of), Some(202_611));
    assert_eq!([202_600, 202_613, 0, 12, u32::MAX].map(first_day), [None; 5]);
    let november = first_day(202_611).unwrap();
    assert_eq!((month_of(november - 1), month_of(november + 29), month_of(november + 30)), (202_610, 202_611, 202_612));
}

#[test]
fn a_month_is_over_at_midnight_in_china() {
    let december = crate::day::instant(first_day(202_612).unwrap(), 0);
    assert!(!is_over(202_611, december - 1) && is_over(202_611, december));
}
