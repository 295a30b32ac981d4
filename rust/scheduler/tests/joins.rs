//! Edges, joins, skips, loops and jumps in one branch (rules 1 to 7 of the design).
mod common;
use common::{parallel, Run};
use graflow_scheduler::{Event, Scheduler, Work};

#[test]
fn a_chain_runs_in_order_each_after_the_one_before() {
    let mut run = Run::of("a >> b >> c").start("a");
    run.gives("run a").finishes("a").gives("run b after a").finishes("b").gives("run c after b");
    run.finishes("c").gives("finished completed").waits();
    assert!(run.scheduler.finished());
    assert_eq!(run.scheduler.steps(), 3);
}

#[test]
fn one_attempt_at_a_time_in_branch_0() {
    let mut run = Run::of("a >> b; a >> c").start("a");
    run.gives("run a").finishes("a").gives("run b after a").waits();
    assert_eq!(run.scheduler.in_flight(), 1);
    run.finishes("b").gives("run c after a");
}

#[test]
fn nothing_to_start_is_completed() {
    Run::of("a").start("").gives("finished completed");
}

#[test]
fn a_join_waits_for_all_predecessors_and_has_no_single_cause() {
    let mut run = Run::of("a >> b; a >> c; b >> d; c >> d").start("a");
    run.gives("run a").finishes("a").gives("run b after a").finishes("b");
    assert_eq!(run.explains("d"), "waits_for c");
    run.gives("run c after a").finishes("c").gives("run d").finishes("d").gives("finished completed");
    assert_eq!(run.explains("d"), "join b c");
}

#[test]
fn fetch_a_b_store_is_the_same_with_and_without_a_group() {
    assert_eq!(
        Run::of("fetch >> a; fetch >> b; a >> store; b >> store").start("fetch").runs_out(),
        "fetch, a, b, store: finished completed"
    );
}

#[test]
fn duplicate_edges_count_once() {
    assert_eq!(Run::of("a >> b; a >> b; b >> c; a >> c").start("a").runs_out(), "a, b, c: finished completed");
}

#[test]
fn predecessors_that_cannot_be_reached_are_not_waited_for() {
    let mut run = Run::of("a >> c; other >> c").start("a");
    run.gives("run a").finishes("a").gives("run c after a");
    assert_eq!(run.explains("other"), "never_reached");
}

#[test]
fn a_join_of_different_depths_waits_for_the_longer_way() {
    assert_eq!(Run::of("a >> z; a >> b >> c >> d >> z").start("a").runs_out(), "a, b, c, d, z: finished completed");
}

#[test]
fn a_goto_skips_the_successors_and_all_that_hangs_on_them() {
    let mut run = Run::of("a >> b >> c; a >> x; rescue").start("a");
    run.gives("run a").goes_to("a", "rescue").gives("run rescue after a").finishes("rescue");
    run.gives("finished completed");
    assert_eq!(run.explains("b"), "skipped_by_goto a");
    assert_eq!(run.explains("c"), "skipped_no_predecessor b");
    assert_eq!(run.explains("rescue"), "goto a");
}

#[test]
fn a_join_goes_on_with_the_predecessors_that_were_not_skipped() {
    let mut run = Run::of("a >> b; a >> c; b >> d >> z; c >> z; aside").start("a");
    run.gives("run a").finishes("a").gives("run b after a").goes_to("b", "aside").gives("run c after a");
    run.finishes("c").gives("run aside after b").finishes("aside");
    run.gives("run z after c").finishes("z").gives("finished completed");
}

#[test]
fn a_join_all_of_whose_predecessors_were_skipped_is_skipped() {
    let mut run = Run::of("a >> b; a >> c; b >> z; c >> z; z >> end; aside").start("a");
    run.gives("run a").goes_to("a", "aside").gives("run aside after a").finishes("aside");
    run.gives("finished completed");
    assert_eq!(run.explains("z"), "skipped_no_predecessor c");
    assert_eq!(run.explains("end"), "skipped_no_predecessor z");
}

#[test]
fn a_goto_to_the_own_successor_runs_it_once() {
    let mut run = Run::of("a >> b >> c").start("a");
    run.gives("run a").goes_to("a", "b").gives("run b after a").finishes("b").gives("run c after b");
}

#[test]
fn a_goto_forward_into_a_join_takes_the_fires_so_far_with_it() {
    let mut run = Run::of("s >> a; s >> b; a >> z; b >> z").start("s");
    run.gives("run s").finishes("s").gives("run a after s").finishes("a").gives("run b after s");
    run.goes_to("b", "z").gives("run z after b").finishes("z").gives("finished completed");
}

#[test]
fn a_goto_back_runs_everything_below_again() {
    let mut run = Run::of("a >> b; a >> c; b >> d; c >> d").start("a");
    run.gives("run a").finishes("a").gives("run b after a").finishes("b").gives("run c after a").finishes("c");
    run.gives("run d").goes_to("d", "a").gives("run a after d").finishes("a").gives("run b after a").finishes("b");
    run.gives("run c after a").finishes("c").gives("run d").finishes("d").gives("finished completed");
    assert_eq!(run.scheduler.executions(3), Ok(2));
}

#[test]
fn next_task_comes_before_the_normal_successors_and_waits_for_nobody() {
    let mut run = Run::of("a >> b >> z; a >> z; extra").start("a");
    run.gives("run a").says("a", "enqueues extra tag 7, enqueues z tag 8").gives("run extra tag 7 after a");
    run.finishes("extra").gives("run z tag 8 after a").finishes("z").gives("run b after a").finishes("b");
    run.gives("run z after b").finishes("z").gives("finished completed");
    assert_eq!(run.explains("extra"), "next_task a");
}

#[test]
fn what_next_task_started_makes_its_successors_wait() {
    let mut run = Run::of("a >> z; x >> y >> z").start("a");
    run.gives("run a").says("a", "enqueues x").gives("run x after a").finishes("x").gives("run y after x");
    run.finishes("y").gives("run z").finishes("z").gives("finished completed");
}

#[test]
fn successors_wait_until_iterating_is_over() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a").says("a", "iterates tag 1").gives("run a tag 1").says("a", "iterates tag 2");
    run.gives("run a tag 2");
    assert_eq!(run.explains("a"), "iteration");
    run.finishes("a").gives("run b after a").finishes("b").gives("finished completed");
    assert_eq!(run.scheduler.steps(), 4);
    assert_eq!(run.scheduler.executions(0), Ok(1));
}

#[test]
fn an_iteration_keeps_its_cause_and_goes_to_the_back_of_the_queue() {
    let mut run = Run::of("s >> a; s >> b").start("s");
    run.gives("run s").finishes("s").gives("run a after s").says("a", "iterates tag 5").gives("run b after s");
    run.finishes("b").gives("run a tag 5 after s");
}

#[test]
fn goto_and_iteration_together_enqueue_both_and_settle_later() {
    let mut run = Run::of("a >> b; x").start("a");
    run.gives("run a").says("a", "goes to x, iterates tag 1").gives("run x after a").finishes("x").gives("run a tag 1");
    run.finishes("a").gives("run b after a").finishes("b").gives("finished completed");
}

#[test]
fn a_loop_runs_again_each_time_around_until_a_goto_leaves_it() {
    let mut run = Run::of("start >> agent >> tool >> agent; done").start("start");
    run.gives("run start").finishes("start");
    for _ in 0..3 {
        let cause = run.next();
        assert!(cause.starts_with("run agent after "), "{cause}");
        run.finishes("agent").gives("run tool after agent").finishes("tool");
    }
    run.gives("run agent after tool").goes_to("agent", "done").gives("run done after agent").finishes("done");
    run.gives("finished completed");
}

#[test]
fn a_join_behind_a_loop_waits_until_the_loop_is_over() {
    let mut run = Run::of("s >> a >> b >> a; b >> z; s >> w >> z").start("s");
    run.gives("run s").finishes("s").gives("run a after s").finishes("a").gives("run w after s").finishes("w");
    run.gives("run b after a").finishes("b").gives("run a after b");
    assert_eq!(run.explains("z"), "waits_for b");
    run.says("a", "goes to b").gives("run b after a").goes_to("b", "w").gives("run w after b").finishes("w");
    run.gives("run z").finishes("z").gives("finished completed");
}

#[test]
fn a_loop_that_is_skipped_lets_what_follows_go() {
    let mut run = Run::of("s >> a >> b >> a; b >> z; s >> w >> z; p >> s").start("s");
    run.gives("run s").goes_to("s", "w").gives("run w after s").finishes("w").gives("run z after w");
    assert_eq!(run.explains("a"), "skipped_by_goto s");
}

#[test]
fn a_task_with_an_edge_to_itself_is_a_loop() {
    let mut run = Run::of("a >> a; a >> b; end").start("a");
    run.gives("run a").finishes("a").gives("run a after a").goes_to("a", "end").gives("run b after a");
}

#[test]
fn loops_within_loops_are_one_loop() {
    let mut run = Run::of("a >> b >> c >> b; c >> a; c >> z; a >> z").start("a");
    run.gives("run a").finishes("a").gives("run b after a").finishes("b").gives("run c after b").goes_to("c", "z");
    run.gives("run z after c").finishes("z").gives("finished completed");
}

#[test]
fn a_fragment_added_by_a_running_task_joins_and_loops_like_any_other() {
    let mut run = Run::of("a >> z").start("a");
    run.gives("run a");
    run.build("x >> y1; x >> y2; y1 >> w; y2 >> w; w >> x");
    run.says("a", "enqueues x").gives("run x after a").finishes("x").gives("run z after a").finishes("z");
    run.gives("run y1 after x").finishes("y1").gives("run y2 after x");
    run.finishes("y2").gives("run w after y1").goes_to("w", "z").gives("run w after y2");
}

#[test]
fn an_edge_added_to_something_live_is_waited_for() {
    let mut run = Run::of("a >> b; a >> c").start("a");
    run.gives("run a").finishes("a").gives("run b after a");
    run.build("c >> d; b >> d");
    run.finishes("b").gives("run c after a");
    assert_eq!(run.explains("d"), "waits_for c");
    run.finishes("c").gives("run d");
}

#[test]
fn an_added_edge_may_close_a_loop() {
    let mut run = Run::of("a >> b >> c").start("a");
    run.gives("run a").finishes("a").gives("run b after a");
    run.build("c >> a");
    run.finishes("b").gives("run c after b").finishes("c").gives("run a after c").finishes("a").gives("run b after a");
}

#[test]
fn a_loop_closed_by_an_added_edge_lets_a_waiting_join_through() {
    // c waits for p; the new edge makes p part of c's own loop, where edges are not waited for.
    let mut run = Run::with(parallel(), "s >> a >> c; s >> q >> p >> c").start("s");
    run.gives("run s").finishes("s").gives("run a after s, run q after s").finishes("a").waits();
    assert_eq!(run.explains("c"), "waits_for p");
    run.build("c >> q");
    run.gives("run c after a");
}

#[test]
fn a_quiet_branch_runs_what_was_fired() {
    // Only a checkpoint of another graph can leave a fire behind that nothing is left to wait for.
    let mut scheduler = Scheduler::new(Default::default());
    scheduler.add_nodes(3).unwrap();
    scheduler.add_edge(0, 2).unwrap();
    scheduler.add_edge(1, 2).unwrap();
    let resumed = Event::Resume { queue: &[], marks: &[(0, 3)], executions: &[(0, 1)] };
    scheduler.handle(resumed, 0).unwrap();
    scheduler.check().unwrap();
    assert_eq!(scheduler.pending_work(), [Work { node: 2, tag: 0, cause: Some(0) }]);
}

#[test]
fn mistakes_change_nothing() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a");
    let ticket = run.ticket("a");
    let wrong = [graflow_scheduler::Directive::Goto { node: 99, tag: 0 }];
    assert!(run.scheduler.handle(Event::Completed { ticket, directives: &wrong }, 0).is_err());
    assert!(run.scheduler.handle(Event::Start { roots: &[0] }, 0).is_err());
    assert!(run.scheduler.set_members(0, &[1]).is_err());
    run.finishes("a").gives("run b after a");
}

#[test]
fn a_late_report_is_dropped() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a");
    let ticket = run.ticket("a");
    run.retries("a", 0).gives("run a try 1");
    for event in [Event::Completed { ticket, directives: &[] }, Event::Failed { ticket, retry_delay: None }] {
        assert_eq!(run.scheduler.handle(event, 0), Ok(false));
    }
    run.finishes("a").gives("run b after a");
}

#[test]
fn everything_ready_runs_at_once_in_a_parallel_schedule() {
    let mut run = Run::with(parallel(), "a >> c; b >> c").start("a b");
    run.gives("run a, run b").finishes("b").waits().finishes("a").gives("run c").finishes("c");
    run.gives("finished completed");
}

#[test]
fn higher_priority_first_then_in_order() {
    let mut run = Run::with(parallel(), "");
    for (name, priority) in [("a", 0), ("b", 5), ("c", -1), ("d", 5)] {
        run.add(name, false, priority, 0);
    }
    run.start("a b c d").gives("run b, run d, run a, run c");
}

#[test]
fn explain_names_the_reason() {
    let mut run = Run::of("a >> b; lone").start("a");
    run.gives("run a");
    assert_eq!(run.explains("a"), "root");
    assert_eq!(run.explains("b"), "waits_for a");
    assert_eq!(run.explains("lone"), "never_reached");
    run.retries("a", 0);
    assert_eq!(run.explains("a"), "retry a");
    run.gives("run a try 1").finishes("a");
    assert_eq!(run.explains("b"), "successor a");
}

#[test]
fn standing_tells_who_is_under_way() {
    let mut run = Run::of("a >> b; a >> c").start("a");
    assert_eq!(run.stands("a"), "queued");
    run.gives("run a");
    assert_eq!((run.stands("a"), run.stands("b")), ("running", "idle"));
    run.retries("a", 10);
    assert_eq!(run.stands("a"), "delayed");
    run.at(10).gives("run a try 1").finishes("a");
    run.gives("run b after a");
    assert_eq!((run.stands("a"), run.stands("b"), run.stands("c")), ("idle", "running", "queued"));
}

#[test]
fn the_story_outlives_the_run() {
    let mut run = Run::of("a >> b; a >> c; b >> d; c >> d").start("a");
    run.gives("run a").finishes("a");
    run.gives("run b after a").fails("b");
    assert_eq!(run.explains("b"), "successor a");
    assert_eq!((run.explains("c"), run.stands("c")), ("successor a".to_owned(), "queued"));
    assert_eq!(run.explains("d"), "waits_for b c");
}

#[test]
fn a_successor_that_the_body_also_enqueued_runs_once() {
    let mut run = Run::of("a >> b >> c; a >> d").start("a");
    run.gives("run a").says("a", "enqueues d").gives("run d after a").finishes("d").gives("run b after a");
    run.finishes("b").gives("run c after b").finishes("c").gives("finished completed");
}

#[test]
fn a_successor_that_was_enqueued_twice_runs_twice_and_not_a_third_time() {
    let mut run = Run::of("a >> b").start("a");
    run.gives("run a").says("a", "enqueues b, enqueues b");
    assert_eq!(run.runs_out(), "b, b: finished completed");
}

#[test]
fn a_join_that_the_body_also_enqueued_does_not_wait_and_runs_once() {
    let mut run = Run::of("a >> b >> z; a >> z").start("a");
    run.gives("run a").says("a", "enqueues z").gives("run z after a").finishes("z").gives("run b after a");
    run.finishes("b").gives("run z after b").finishes("z").gives("finished completed");
    let mut run = Run::of("a >> z; other >> z").start("a");
    run.gives("run a").says("a", "enqueues z").gives("run z after a").finishes("z").gives("finished completed");
}

#[test]
fn a_task_of_its_loop_that_the_body_also_enqueued_runs_once() {
    let mut run = Run::of("agent >> tool >> agent; end").start("agent");
    run.gives("run agent").says("agent", "enqueues tool").gives("run tool after agent").goes_to("tool", "end");
    run.gives("run end after tool").finishes("end").gives("finished completed");
}
