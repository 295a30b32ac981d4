//! Counted resources: attempts wait until all that they take is free, and give it back however they end.
mod common;
use common::Run;

#[test]
fn who_takes_of_a_resource_waits_until_all_that_it_takes_is_free() {
    let mut run = Run::of("");
    for (name, lane) in [("big", 1), ("a", 2), ("huge", 3), ("b", 2), ("c", 2)] {
        run.add(name, false, 0, lane);
    }
    run.scheduler.set_resource(7, 4);
    run.scheduler.set_resource(8, 1);
    run.scheduler.set_lane_demand(1, &[(7, 3)]);
    run.scheduler.set_lane_demand(2, &[(7, 1)]);
    run.scheduler.set_lane_demand(3, &[(8, 1), (7, 4)]);
    run.build("g = big | a | huge | b | c");
    let mut run = run.start("g");
    run.gives("fork g of 5, run big in g0, run a in g1").finishes("a in g1").gives("end g1 ok, run b in g3");
    run.retries("big in g0", 0).gives("run big in g0 try 1").finishes("b in g3").gives("end g3 ok, run c in g4");
    run.finishes("c in g4").gives("end g4 ok").finishes("big in g0").gives("end g0 ok, run huge in g2");
    run.finishes("huge in g2").gives("end g2 ok, join g of 5");
}

#[test]
fn what_is_given_up_gives_back_what_it_took() {
    let mut run = Run::of("");
    run.add("l", false, 0, 1);
    run.scheduler.set_resource(0, 1);
    run.scheduler.set_lane_demand(1, &[(0, 1)]);
    run.build("g = s | l; g >> l");
    let mut run = run.start("g");
    run.gives("fork g of 2, run s in g0, run l in g1").says("s in g0", "terminates");
    run.gives("abandon l in g1, end g0 stopped, join g of 1 stopped");
}
