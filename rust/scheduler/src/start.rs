//! `Event::Start` and `Event::Resume`: how a run gets its first activations.
//! Owns: what a checkpoint brings back. Must not know: how a run goes on.
use crate::activation::Activation;
use crate::error::CallError;
use crate::event::Work;
use crate::ids::{EdgeId, NodeId, NONE, ROOT};
use crate::scheduler::Scheduler;
use crate::story::Reason;
use crate::transition::EdgeState;

impl Scheduler {
    /// `Event::Start`.
    pub(crate) fn start_run(&mut self, roots: &[NodeId]) -> Result<bool, CallError> {
        for root in roots {
            self.graph.require(*root)?;
        }
        if self.started {
            return Err(CallError::AlreadyStarted);
        }
        self.sync();
        self.started = true;
        for root in roots {
            self.root.activate(&self.graph, &mut self.story, Activation::new(*root, Reason::Root, NONE, 0));
        }
        self.after(ROOT);
        Ok(true)
    }

    /// `Event::Resume`.
    pub(crate) fn resume(
        &mut self,
        queue: &[Work],
        marks: &[(EdgeId, u8)],
        executions: &[(NodeId, u32)],
    ) -> Result<bool, CallError> {
        for node in queue.iter().map(|work| work.node).chain(executions.iter().map(|(node, _)| *node)) {
            self.graph.require(node)?;
        }
        for cause in queue.iter().filter_map(|work| work.cause) {
            self.graph.require(cause)?;
        }
        if let Some((edge, _)) = marks.iter().find(|(edge, _)| *edge >= self.graph.edge_count()) {
            return Err(CallError::UnknownEdge(*edge));
        }
        if self.started {
            return Err(CallError::AlreadyStarted);
        }
        self.sync();
        self.started = true;
        for (node, count) in executions {
            self.root.marks.node_mut(*node).set_executions(*count);
        }
        for (edge, mark) in marks {
            if mark & EdgeState::Fired as u8 != 0 {
                self.root.restore_fire(*edge, self.graph.edge(*edge).target);
            }
        }
        for work in queue {
            let activation = Activation::new(work.node, Reason::Resumed, work.cause.unwrap_or(NONE), work.tag);
            self.root.activate(&self.graph, &mut self.story, activation);
        }
        self.after(ROOT);
        Ok(true)
    }
}
