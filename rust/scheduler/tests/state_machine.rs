//! `docs/state-machine.md` says what the code does: its tables are read and compared with the transition functions.
use graflow_scheduler::transition::{
    activation_after, branch_after, edge_after, ActivationEvent as AE, ActivationState as AS, BranchEvent as BE,
    BranchState as BS, EdgeEvent as EE, EdgeState as ES,
};
use std::fmt::Debug;

const DOCUMENT: &str = include_str!("../../../docs/state-machine.md");

/// The rows of the table under a heading, cells trimmed, without the line of dashes.
fn table(heading: &str) -> Vec<Vec<String>> {
    let section = DOCUMENT.split(&format!("## {heading}\n")).nth(1).expect("the heading");
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(cells).filter(|row| !row[0].starts_with("---")).collect()
}

fn compare<S: Debug + Copy, E: Debug + Copy>(
    heading: &str,
    states: &[S],
    events: &[E],
    after: impl Fn(S, E) -> Option<S>,
) {
    let rows = table(heading);
    let names = |row: &[String]| row[1..].to_vec();
    let expected: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(names(&rows[0]), expected, "{heading}: events");
    let expected: Vec<String> = states.iter().map(|state| format!("{state:?}")).collect();
    assert_eq!(rows[1..].iter().map(|row| row[0].clone()).collect::<Vec<_>>(), expected, "{heading}: states");
    for (row, state) in rows[1..].iter().zip(states) {
        for (cell, event) in row[1..].iter().zip(events) {
            let code = after(*state, *event).map_or("·".into(), |next| format!("{next:?}"));
            assert_eq!(*cell, code, "{heading}: {state:?} and {event:?}");
        }
    }
}

#[test]
fn activations_are_as_documented() {
    let states =
        [AS::Queued, AS::Delayed, AS::Running, AS::Forked, AS::Joining, AS::Completed, AS::Failed, AS::Abandoned];
    let events = [
        AE::Run,
        AE::Fork,
        AE::BranchesEnded,
        AE::Complete,
        AE::RetryNow,
        AE::RetryLater,
        AE::Due,
        AE::Fail,
        AE::Abandon,
    ];
    compare("Activation", &states, &events, activation_after);
}

#[test]
fn edges_are_as_documented() {
    let states = [ES::Idle, ES::Pending, ES::Fired, ES::PendingFired];
    compare("Edge", &states, &[EE::Live, EE::Fire, EE::Settle, EE::Consume], edge_after);
}

#[test]
fn branches_are_as_documented() {
    let states = [BS::Ready, BS::Busy, BS::Waiting, BS::Ended, BS::Abandoned];
    let events = [BE::Start, BE::MoreWork, BE::OnlyDelayed, BE::Wake, BE::End, BE::Abandon];
    compare("Branch", &states, &events, branch_after);
}
