//! Groups: order of dispatch, joins, gotos and stops across branches, retries, limits, lanes.
mod common;
use common::{parallel, Run};
use graflow_scheduler::{Config, Directive, Event, StopReason};

fn graceful(grace: u64) -> Config {
    Config { cancel_grace: grace, ..Config::default() }
}

#[test]
fn a_group_forks_runs_its_members_and_joins() {
    let mut run = Run::of("s >> g; g = x | y; g >> z").start("s");
    run.gives("run s").finishes("s");
    run.gives("fork g of 2 after s, run x in g0 after s, run y in g1 after s");
    run.finishes("y in g1").gives("end g1 ok").finishes("x in g0").gives("end g0 ok, join g of 2");
    run.finishes("g").gives("run z after g").finishes("z").gives("finished completed");
    assert_eq!(run.scheduler.steps(), 5);
    assert_eq!(run.explains("x"), "member g");
}

#[test]
fn an_empty_group_joins_at_once() {
    Run::of("g =").start("g").gives("fork g of 0, join g of 0").finishes("g").gives("finished completed");
}

#[test]
fn a_branch_runs_its_members_successors_and_what_it_enqueues() {
    let mut run = Run::of("g = x | y; x >> x2; extra").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1");
    run.says("x in g0", "enqueues extra").gives("run extra in g0 after x").finishes("extra in g0");
    run.gives("run x2 in g0 after x").finishes("x2 in g0").gives("end g0 ok");
}

#[test]
fn one_worker_gives_the_depth_first_order() {
    let mut run = Run::of("g = x | h | y; h = u | v; u >> u2; g >> z").start("g");
    assert_eq!(run.runs_out(), "x in g0, u in g1/h0, u2 in g1/h0, v in g1/h1, y in g2, z: finished completed");
}

#[test]
fn the_newest_fork_first_started_before_unstarted_lower_index_first() {
    let mut run = Run::of("g = a | b | h; a >> a2; b >> b2; h = u | v").start("g");
    assert_eq!((run.next(), run.next()), ("fork g of 3".into(), "run a in g0".into()));
    assert_eq!(run.next(), "run b in g1");
    run.finishes("b in g1, a in g0");
    assert_eq!((run.next(), run.next()), ("run a2 in g0 after a".into(), "run b2 in g1 after b".into()));
    assert_eq!((run.next(), run.next()), ("fork h in g2 of 2".into(), "run u in g2/h0".into()));
    run.finishes("a2 in g0").gives("end g0 ok, run v in g2/h1");
}

#[test]
fn branches_have_marks_of_their_own() {
    let mut run = Run::of("g = x | x; x >> p; x >> q; p >> j; q >> j").start("g");
    run.gives("fork g of 2, run x in g0, run x in g1").finishes("x in g0").gives("run p in g0 after x");
    run.finishes("x in g1").gives("run p in g1 after x").finishes("p in g1").gives("run q in g1 after x");
    run.finishes("q in g1").gives("run j in g1").finishes("j in g1").gives("end g1 ok").finishes("p in g0");
    run.gives("run q in g0 after x").finishes("q in g0").gives("run j in g0");
}

#[test]
fn a_failed_member_ends_its_branch_and_the_driver_decides() {
    let mut run = Run::of("g = x | y; x >> x2; g >> z").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1").fails("x in g0").gives("end g0 failed");
    run.finishes("y in g1").gives("end g1 ok, join g of 2").finishes("g").gives("run z after g");
    let mut run = Run::of("g = x | y; g >> z").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1").fails("x in g0").finishes("y in g1");
    run.gives("end g0 failed, end g1 ok, join g of 2").fails("g").gives("finished failed by g");
    assert_eq!(run.explains("z"), "waits_for g");
}

#[test]
fn a_group_that_failed_may_be_tried_again() {
    let mut run = Run::of("g = x").start("g");
    run.gives("fork g of 1, run x in g0").fails("x in g0").gives("end g0 failed, join g of 1");
    run.retries("g", 10).waits().at(10).gives("fork g of 1, run x in g0").finishes("x in g0");
    run.gives("end g0 ok, join g of 1").finishes("g").gives("finished completed");
}

#[test]
fn a_goto_inside_the_branch_stays_there() {
    let mut run = Run::of("g = x | y; x >> x2 >> x3; g >> z").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1").goes_to("x in g0", "x3").gives("run x3 in g0 after x");
    run.goes_to("x3 in g0", "x").gives("run x in g0 after x3").says("x in g0", "enqueues e");
    run.gives("run e in g0 after x").goes_to("e in g0", "e").gives("run x2 in g0 after x");
    run.finishes("x2 in g0").gives("run e in g0 after e");
}

#[test]
fn a_goto_out_of_the_branch_goes_through_the_join_in_member_order() {
    let mut run = Run::of("g = x | y; x >> x2; g >> z; p >> q; o").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1");
    run.goes_to("y in g1", "o").gives("end g1 ok").says("x in g0", "goes to p tag 3").gives("end g0 ok, join g of 2");
    run.finishes("g").gives("run p tag 3 after x").finishes("p").gives("run o after y").finishes("o");
    run.gives("run q after p").finishes("q").gives("finished completed");
    assert_eq!(run.explains("z"), "skipped_by_goto g");
}

#[test]
fn a_failed_branchs_gotos_are_dropped() {
    let mut run = Run::of("g = x; g >> z; o; e").start("g");
    run.gives("fork g of 1, run x in g0").says("x in g0", "enqueues e, goes to o").gives("run e in g0 after x");
    run.fails("e in g0").gives("end g0 failed, join g of 1").finishes("g").gives("run z after g");
}

#[test]
fn a_goto_leaves_as_many_levels_as_it_has_to() {
    let mut run = Run::of("g = h | y; h = x; h >> t; g >> z; o").start("g");
    run.gives("fork g of 2, fork h in g0 of 1, run x in g0/h0, run y in g1").goes_to("x in g0/h0", "t");
    run.gives("end g0/h0 ok, join h in g0 of 1").finishes("h in g0").gives("run t in g0 after x");
    run.goes_to("t in g0", "o").gives("end g0 ok").finishes("y in g1").gives("end g1 ok, join g of 2");
    run.finishes("g").gives("run o after t").finishes("o").gives("finished completed");
}

#[test]
fn terminate_in_branch_0_ends_the_run() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a").says("a", "enqueues b, terminates").gives("finished terminated by a");
    assert_eq!(run.scheduler.steps(), 1);
}

#[test]
fn terminate_in_a_member_abandons_later_ones_and_waits_for_earlier_ones() {
    let mut run = Run::of("g = a | b | c | d; g >> z").start("g");
    for expected in ["fork g of 4", "run a in g0", "run b in g1", "run c in g2"] {
        assert_eq!(run.next(), expected);
    }
    let late = run.ticket("c in g2");
    assert!(run.scheduler.knows(late));
    run.says("b in g1", "terminates");
    assert!(!run.scheduler.knows(late), "as soon as it is given up, before the driver hears of it");
    run.gives("abandon c in g2, end g1 stopped");
    assert_eq!(run.scheduler.handle(Event::Completed { ticket: late, directives: &[] }, 0), Ok(false));
    run.finishes("a in g0").gives("end g0 ok, join g of 2 stopped").finishes("g").gives("finished terminated by b");
    assert_eq!(run.scheduler.steps(), 3);
}

#[test]
fn an_earlier_terminate_moves_the_stop_forward() {
    let mut run = Run::of("g = a | b | c").start("g");
    run.gives("fork g of 3, run a in g0, run b in g1, run c in g2").says("c in g2", "terminates");
    run.gives("end g2 stopped").says("a in g0", "terminates");
    run.gives("abandon b in g1, end g0 stopped, join g of 1 stopped").finishes("g").gives("finished terminated by a");
}

#[test]
fn steps_of_branches_behind_a_stop_do_not_count() {
    let mut run = Run::of("g = a | b").start("g");
    run.gives("fork g of 2, run a in g0, run b in g1").finishes("b in g1").gives("end g1 ok");
    run.says("a in g0", "terminates").gives("end g0 stopped, join g of 1 stopped").finishes("g");
    run.gives("finished terminated by a");
    assert_eq!(run.scheduler.steps(), 2);
}

#[test]
fn terminate_goes_outward_level_by_level() {
    let mut run = Run::of("g = a | h | c; h = u | v | w").start("g");
    for expected in ["fork g of 3", "run a in g0", "fork h in g1 of 3", "run u in g1/h0", "run v in g1/h1"] {
        assert_eq!(run.next(), expected);
    }
    assert_eq!((run.next(), run.next()), ("run w in g1/h2".into(), "run c in g2".into()));
    run.says("v in g1/h1", "terminates").gives("abandon w in g1/h2, end g1/h1 stopped");
    run.finishes("u in g1/h0").gives("end g1/h0 ok, join h in g1 of 2 stopped").finishes("h in g1");
    run.gives("abandon c in g2, end g1 stopped").finishes("a in g0").gives("end g0 ok, join g of 2 stopped");
    run.finishes("g").gives("finished terminated by v");
}

#[test]
fn a_stopped_group_that_fails_does_not_terminate() {
    let mut run = Run::of("g = h | c; h = u | v").start("g");
    run.gives("fork g of 2, fork h in g0 of 2, run u in g0/h0, run v in g0/h1, run c in g1");
    run.says("v in g0/h1", "terminates").fails("u in g0/h0");
    run.gives("end g0/h1 stopped, end g0/h0 failed, join h in g0 of 2 stopped").fails("h in g0");
    run.gives("end g0 failed").finishes("c in g1").gives("end g1 ok, join g of 2");
}

#[test]
fn cancel_in_branch_0_ends_the_run_and_the_task_does_not_count() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a").says("a", "terminates, cancels, goes to b").gives("finished cancelled by a");
    assert_eq!(run.scheduler.steps(), 0);
}

#[test]
fn cancel_abandons_later_members_at_once_and_gives_earlier_ones_a_grace() {
    let mut run = Run::with(graceful(100), "g = a | b | c | d").start("g");
    run.gives("fork g of 4, run a in g0, run b in g1, run c in g2, run d in g3").at(1000);
    run.says("c in g2", "cancels").gives("abandon d in g3");
    assert_eq!(run.scheduler.deadline(), Some(1100));
    run.at(1050).finishes("a in g0").gives("end g0 ok").at(1100);
    run.gives("abandon g, abandon b in g1, finished cancelled by c");
}

#[test]
fn cancel_ends_the_run_when_no_earlier_member_is_left() {
    let mut run = Run::with(graceful(100), "g = a | b | c").start("g");
    run.gives("fork g of 3, run a in g0, run b in g1, run c in g2").finishes("a in g0").gives("end g0 ok");
    run.says("b in g1", "cancels").gives("abandon c in g2, abandon g, finished cancelled by b");
}

#[test]
fn an_earlier_cancel_within_the_grace_is_the_one_that_counts() {
    let mut run = Run::with(graceful(100), "g = a | h; h = u | v").start("g");
    run.gives("fork g of 2, run a in g0, fork h in g1 of 2, run u in g1/h0, run v in g1/h1");
    run.says("v in g1/h1", "cancels").waits().at(50).says("a in g0", "cancels");
    run.gives("abandon h in g1, abandon u in g1/h0, abandon g, finished cancelled by a");
}

#[test]
fn an_earlier_terminate_within_the_grace_means_the_cancel_never_happened() {
    let mut run = Run::with(graceful(100), "g = h | y; h = a | b | c").start("g");
    run.gives("fork g of 2, fork h in g0 of 3, run a in g0/h0, run b in g0/h1, run c in g0/h2, run y in g1");
    run.says("c in g0/h2", "cancels").gives("abandon y in g1").says("a in g0/h0", "terminates");
    run.gives("abandon b in g0/h1, end g0/h0 stopped, join h in g0 of 1 stopped").finishes("h in g0");
    run.gives("end g0 stopped, join g of 1 stopped").finishes("g").gives("finished terminated by a");
}

#[test]
fn without_grace_a_cancel_ends_the_run_at_once() {
    let mut run = Run::with(graceful(0), "g = a | b").start("g");
    run.gives("fork g of 2, run a in g0, run b in g1").says("b in g1", "cancels");
    run.gives("abandon g, abandon a in g0, finished cancelled by b");
}

#[test]
fn a_retry_without_delay_goes_to_the_back_of_the_queue() {
    let mut run = Run::of("s >> a; s >> b; a >> c").start("s");
    run.gives("run s").finishes("s").gives("run a after s").retries("a", 0).gives("run b after s").finishes("b");
    run.gives("run a try 1 after s").finishes("a").gives("run c after a");
}

#[test]
fn a_delayed_retry_starts_when_nothing_else_is_ready() {
    let mut run = Run::of("s >> a; s >> b; b >> c").start("s");
    run.gives("run s").finishes("s").gives("run a after s").retries("a", 10).gives("run b after s");
    assert_eq!(run.scheduler.deadline(), None);
    run.at(50).finishes("b").gives("run c after b").finishes("c").gives("run a try 1 after s");
}

#[test]
fn delayed_retries_keep_their_order_however_long_other_tasks_took() {
    for slow in [0, 1000] {
        let mut run = Run::of("s >> a; s >> b").start("s");
        run.gives("run s").finishes("s").gives("run a after s").retries("a", 50).gives("run b after s").at(slow);
        run.retries("b", 30).waits();
        assert_eq!(run.scheduler.deadline(), Some(slow + 30));
        run.at(slow + 30).gives("run b try 1 after s").finishes("b").at(slow + 50).gives("run a try 1 after s");
    }
}

#[test]
fn a_delayed_retry_in_a_member_blocks_nobody() {
    let mut run = Run::of("g = a | b").start("g");
    run.gives("fork g of 2, run a in g0, run b in g1").retries("a in g0", 20).waits();
    assert_eq!(run.scheduler.deadline(), Some(20));
    run.finishes("b in g1").gives("end g1 ok").at(20).gives("run a in g0 try 1").finishes("a in g0");
    run.gives("end g0 ok, join g of 2");
}

#[test]
fn delayed_retries_start_by_deadline_in_a_parallel_schedule() {
    let mut run = Run::with(parallel(), "a; b").start("a b");
    run.gives("run a, run b").retries("a", 30).retries("b", 10);
    assert_eq!(run.scheduler.deadline(), Some(10));
    run.at(10).gives("run b try 1").at(30).gives("run a try 1");
}

#[test]
fn a_failure_in_a_parallel_schedule_abandons_the_rest() {
    let mut run = Run::with(parallel(), "a; b; g = x").start("a b g");
    run.gives("run a, run b, fork g of 1, run x in g0").fails("b");
    run.gives("abandon a, abandon g, abandon x in g0, finished failed by b");
    assert_eq!(run.scheduler.in_flight(), 0);
}

#[test]
fn max_steps_stops_branch_0_before_the_next_task() {
    let mut run = Run::with(Config { max_steps: Some(2), ..Config::default() }, "a >> b >> c").start("a");
    run.gives("run a").finishes("a").gives("run b after a").finishes("b").gives("finished maxsteps");
    assert_eq!(run.scheduler.pending_work().len(), 1);
    let mut run = Run::with(Config { max_steps: Some(2), ..Config::default() }, "a >> b").start("a");
    assert_eq!(run.runs_out(), "a, b: finished completed");
}

#[test]
fn steps_of_joined_branches_count_in_branch_0() {
    let mut run = Run::with(Config { max_steps: Some(3), ..Config::default() }, "g = x | y; g >> z").start("g");
    assert_eq!(run.runs_out(), "x in g0, y in g1: finished maxsteps");
}

#[test]
fn max_steps_in_a_branch_ends_the_branch_well() {
    let config = Config { max_steps: Some(2), ..Config::default() };
    let mut run = Run::with(config, "g = x; x >> x2 >> x3").start("g");
    run.gives("fork g of 1, run x in g0").finishes("x in g0").gives("run x2 in g0 after x").finishes("x2 in g0");
    run.gives("end g0 ok, join g of 1");
}

#[test]
fn max_steps_is_exact_in_a_parallel_schedule() {
    let config = Config { max_steps: Some(2), ..parallel() };
    let mut run = Run::with(config, "a; b; c").start("a b c");
    run.gives("run a, run b").finishes("b").waits().finishes("a").gives("finished maxsteps");
}

#[test]
fn too_many_executions_are_an_overrun_but_iterations_and_retries_are_not() {
    let config = Config { execution_limit: 2, ..Config::default() };
    let mut run = Run::with(config, "a >> b >> a").start("a");
    run.gives("run a").says("a", "iterates").gives("run a").says("a", "iterates").gives("run a").retries("a", 0);
    run.gives("run a try 1").finishes("a").gives("run b after a").finishes("b").gives("run a after b").finishes("a");
    run.gives("run b after a").finishes("b").gives("overrun a, finished overrun by a");
}

#[test]
fn an_overrun_in_a_branch_is_its_failure() {
    let config = Config { execution_limit: 1, ..Config::default() };
    let mut run = Run::with(config, "g = x; x >> x").start("g");
    run.gives("fork g of 1, run x in g0").finishes("x in g0").gives("overrun x in g0, end g0 failed, join g of 1");
}

#[test]
fn a_full_lane_makes_its_own_wait_and_nobody_else() {
    let mut run = Run::of("");
    for (name, lane) in [("a", 1), ("b", 1), ("c", 0), ("d", 2), ("e", 1)] {
        run.add(name, false, 0, lane);
    }
    run.scheduler.set_lane_limit(1, 1);
    run.build("g = a | b | c | d | e");
    let mut run = run.start("g");
    run.gives("fork g of 5, run a in g0, run c in g2, run d in g3").finishes("c in g2").gives("end g2 ok");
    run.finishes("a in g0").gives("end g0 ok, run b in g1").retries("b in g1", 0);
    run.gives("run b in g1 try 1").finishes("b in g1").gives("end g1 ok, run e in g4");
}

#[test]
fn a_lane_counts_over_all_branches_and_holds_a_later_task_of_a_branch_too() {
    let mut run = Run::of("");
    run.add("l", false, 0, 1);
    run.scheduler.set_lane_limit(1, 1);
    run.build("g = x | y; x >> l; y >> l");
    let mut run = run.start("g");
    run.gives("fork g of 2, run x in g0, run y in g1").finishes("x in g0, y in g1").gives("run l in g0 after x");
    run.finishes("l in g0").gives("end g0 ok, run l in g1 after y");
}

#[test]
fn a_lane_in_branch_0() {
    let mut run = Run::with(parallel(), "");
    for (name, lane) in [("a", 1), ("b", 1), ("c", 0)] {
        run.add(name, false, 0, lane);
    }
    run.scheduler.set_lane_limit(1, 1);
    let mut run = run.start("a b c");
    run.gives("run a, run c").finishes("a").gives("run b");
}

#[test]
fn members_may_add_members_to_come() {
    let mut run = Run::of("g = x | y").start("g");
    run.gives("fork g of 2, run x in g0, run y in g1");
    run.build("h = p | q; h >> r");
    let h = run.id("h");
    let ticket = run.ticket("x in g0");
    let directives = [Directive::Enqueue { node: h, tag: 0 }];
    assert_eq!(run.scheduler.handle(Event::Completed { ticket, directives: &directives }, 0), Ok(true));
    run.gives("fork h in g0 of 2 after x, run p in g0/h0 after x, run q in g0/h1 after x");
    run.finishes("p in g0/h0, q in g0/h1").gives("end g0/h0 ok, end g0/h1 ok, join h in g0 of 2");
    run.finishes("h in g0").gives("run r in g0 after h").finishes("r in g0").gives("end g0 ok");
}

#[test]
fn whoever_stops_it_from_outside_gives_up_all_that_is_under_way() {
    for (reason, word) in [(StopReason::Cancelled, "cancelled"), (StopReason::Terminated, "terminated")] {
        let mut run = Run::of("g = x | y; x >> z").start("g");
        run.gives("fork g of 2, run x in g0, run y in g1");
        assert_eq!(run.scheduler.handle(Event::Stopped { reason }, 0), Ok(true));
        run.gives(&format!("abandon g, abandon x in g0, abandon y in g1, finished {word}"));
        assert!(run.scheduler.finished());
    }
}

#[test]
fn a_stop_from_outside_takes_effect_with_the_next_action() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a");
    let reason = StopReason::Terminated;
    assert_eq!(run.scheduler.handle(Event::Stopped { reason }, 0), Ok(true));
    assert_eq!(run.scheduler.handle(Event::Stopped { reason }, 0), Ok(false)); // the first one counts
    run.finishes("a").gives("finished terminated");
    assert_eq!(run.scheduler.handle(Event::Stopped { reason }, 0), Ok(false));
    assert_eq!(run.scheduler.steps(), 1);
}
