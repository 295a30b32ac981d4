//! Lanes of which more is sent ahead than may run at once, since somebody else sees to that.
mod common;
use common::Run;

fn group_in_a_lane() -> Run {
    let mut run = Run::of("");
    for name in ["a", "b", "c", "d", "e"] {
        run.add(name, false, 0, 1);
    }
    run.scheduler.set_lane_limit(1, 1);
    run.build("g = a | b | c | d | e");
    run.start("g")
}

#[test]
fn a_lane_that_is_sent_ahead_keeps_its_limit_when_all_of_that_is_worked_off() {
    let mut run = group_in_a_lane();
    run.scheduler.send_ahead(1, 3);
    run.gives("fork g of 5, run a in g0, run b in g1, run c in g2");
    run.scheduler.keep_limits();
    run.finishes("a in g0, b in g1").gives("end g0 ok, end g1 ok");
    run.finishes("c in g2").gives("end g2 ok, run d in g3");
}

#[test]
fn a_limit_that_is_higher_than_what_is_sent_ahead_counts() {
    let mut run = group_in_a_lane();
    run.scheduler.set_lane_limit(1, 4);
    run.scheduler.send_ahead(1, 2);
    run.gives("fork g of 5, run a in g0, run b in g1, run c in g2, run d in g3");
}

#[test]
fn a_lane_is_sent_ahead_only_if_a_limit_is_all_that_there_is_to_it() {
    let mut run = Run::of("");
    let nodes: Vec<u32> = (0..4).map(|lane| run.add(&format!("l{lane}"), false, 0, lane)).collect();
    run.scheduler.set_lane_limit(1, 2);
    run.scheduler.set_lane_limit(2, 2);
    run.scheduler.set_lane_demand(2, &[(0, 1)]);
    run.scheduler.set_lane_demand(3, &[(0, 1)]);
    let limits: Vec<_> = nodes.iter().map(|node| run.scheduler.lane_limit(*node).unwrap()).collect();
    assert_eq!(limits, [None, Some((1, 2)), None, None]);
}
