//! The states and what may follow what: the tables of `docs/state-machine.md` as pure functions.
//! Owns: legality. Must not know: why an event happens or what it entails.

/// Where an activation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ActivationState {
    /// In its branch's queue.
    Queued,
    /// Waiting for a retry's deadline.
    Delayed,
    /// A task whose body runs.
    Running,
    /// A group whose branches run.
    Forked,
    /// A group that waits for the driver's verdict.
    Joining,
    /// Completed; nothing follows.
    Completed,
    /// Failed for good; nothing follows.
    Failed,
    /// Given up; nothing follows.
    Abandoned,
}

/// What can happen to an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationEvent {
    /// A task's attempt is handed out.
    Run,
    /// A group's branches are opened.
    Fork,
    /// All branches that count have ended.
    BranchesEnded,
    /// A good report.
    Complete,
    /// A bad report, to be tried again at once.
    RetryNow,
    /// A bad report, to be tried again later.
    RetryLater,
    /// The retry's deadline has passed and it is its turn.
    Due,
    /// A bad report, for good.
    Fail,
    /// Its branch or the run ends around it.
    Abandon,
}

/// The state after `event`, or `None` where it can't happen.
pub fn activation_after(state: ActivationState, event: ActivationEvent) -> Option<ActivationState> {
    use ActivationEvent as E;
    use ActivationState as S;
    match (state, event) {
        (S::Queued, E::Run) => Some(S::Running),
        (S::Queued, E::Fork) => Some(S::Forked),
        (S::Forked, E::BranchesEnded) => Some(S::Joining),
        (S::Running | S::Joining, E::Complete) => Some(S::Completed),
        (S::Running | S::Joining, E::RetryNow) => Some(S::Queued),
        (S::Running | S::Joining, E::RetryLater) => Some(S::Delayed),
        (S::Running | S::Joining, E::Fail) => Some(S::Failed),
        (S::Delayed, E::Due) => Some(S::Queued),
        (S::Running | S::Forked | S::Joining, E::Abandon) => Some(S::Abandoned),
        (
            S::Queued | S::Delayed | S::Running | S::Forked | S::Joining | S::Completed | S::Failed | S::Abandoned,
            E::Run
            | E::Fork
            | E::BranchesEnded
            | E::Complete
            | E::RetryNow
            | E::RetryLater
            | E::Due
            | E::Fail
            | E::Abandon,
        ) => None,
    }
}

/// An edge's two marks in one branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum EdgeState {
    /// Neither.
    #[default]
    Idle = 0,
    /// Its source can still run and has not settled.
    Pending = 1,
    /// Its source completed since the target was last activated.
    Fired = 2,
    /// Both.
    PendingFired = 3,
}

/// What can happen to an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeEvent {
    /// Its source became live.
    Live,
    /// Its source completed normally.
    Fire,
    /// Its source is live no longer.
    Settle,
    /// Its target was activated.
    Consume,
}

/// The marks after `event`, or `None` where it can't happen.
#[inline]
pub fn edge_after(state: EdgeState, event: EdgeEvent) -> Option<EdgeState> {
    use EdgeEvent as E;
    use EdgeState as S;
    match (state, event) {
        (S::Idle, E::Live) => Some(S::Pending),
        (S::Fired, E::Live) => Some(S::PendingFired),
        (S::Idle | S::Fired, E::Fire) => Some(S::Fired),
        (S::Pending | S::PendingFired, E::Fire) => Some(S::PendingFired),
        (S::Pending, E::Settle) => Some(S::Idle),
        (S::PendingFired, E::Settle) => Some(S::Fired),
        (S::Fired, E::Consume) => Some(S::Idle),
        (S::PendingFired, E::Consume) => Some(S::Pending),
        (S::Pending | S::PendingFired, E::Live)
        | (S::Idle | S::Fired, E::Settle)
        | (S::Idle | S::Pending, E::Consume) => None,
    }
}

/// Where a branch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BranchState {
    /// Something is queued, nothing runs.
    Ready,
    /// An attempt is in flight.
    Busy,
    /// Only retries that wait for their deadline are left.
    Waiting,
    /// Over, its outcome counts.
    Ended,
    /// Over, without outcome.
    Abandoned,
}

/// What can happen to a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchEvent {
    /// One of its attempts starts.
    Start,
    /// Its attempt was reported and more is queued.
    MoreWork,
    /// Its attempt was reported and only delayed retries are left.
    OnlyDelayed,
    /// A delayed retry's deadline has passed, or a new edge let a join through.
    Wake,
    /// Nothing left, a failure for good, a terminate, or a limit.
    End,
    /// A stop elsewhere makes it pointless.
    Abandon,
}

/// The state after `event`, or `None` where it can't happen.
pub fn branch_after(state: BranchState, event: BranchEvent) -> Option<BranchState> {
    use BranchEvent as E;
    use BranchState as S;
    match (state, event) {
        (S::Ready, E::Start) => Some(S::Busy),
        (S::Busy, E::MoreWork) => Some(S::Ready),
        (S::Busy, E::OnlyDelayed) => Some(S::Waiting),
        (S::Waiting, E::Wake) => Some(S::Ready),
        (S::Ready | S::Busy, E::End) => Some(S::Ended),
        (S::Ready | S::Busy | S::Waiting, E::Abandon) => Some(S::Abandoned),
        (S::Waiting, E::Start | E::MoreWork | E::OnlyDelayed | E::End)
        | (S::Ready, E::MoreWork | E::OnlyDelayed)
        | (S::Busy, E::Start)
        | (S::Ready | S::Busy, E::Wake)
        | (S::Ended | S::Abandoned, E::Start | E::MoreWork | E::OnlyDelayed | E::Wake | E::End | E::Abandon) => None,
    }
}
