//! Edges and joins in one branch: what becomes live, fires, settles, is skipped (rules 1 to 6 of the design).
//! A node is live exactly when it can be reached from an activation; the marks keep that up to date step by step.
//! Owns: all changes of marks. Must not know: other branches, tickets, time.
use crate::activation::Activation;
use crate::branch::Branch;
use crate::event::Directive;
use crate::graph::{Edge, Graph};
use crate::ids::{EdgeId, NodeId, NONE};
use crate::story::{Reason, Story};
use crate::transition::{EdgeEvent, EdgeState};

/// What a completion does to the out-edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// The normal successors follow.
    Fire,
    /// A goto went elsewhere.
    Jump,
}

/// What stopped being live and has to clear its out-edges.
#[derive(Clone, Copy, Debug)]
enum Settled {
    Node(NodeId),
    Loop(u32),
}

impl Branch {
    /// Counts an activation and makes everything below it live.
    #[inline]
    pub(crate) fn count_active(&mut self, graph: &Graph, node: NodeId) {
        let mark = self.marks.node_mut(node);
        mark.active += 1;
        let mut live = mark.live();
        let component = graph.component(node);
        if component != NONE {
            let mark = self.marks.loop_mut(component);
            mark.busy += 1;
            live = mark.live;
        }
        if !live {
            self.make_live(graph, node);
        }
    }

    fn make_live(&mut self, graph: &Graph, node: NodeId) {
        if graph.first_out(node) == NONE && graph.component(node) == NONE {
            self.marks.node_mut(node).set_live(true); // nothing is below it
            return;
        }
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let component = graph.component(node);
            if component == NONE {
                let mark = self.marks.node_mut(node);
                if !mark.set_live(true) {
                    self.make_edges_pending(graph, node, &mut open);
                }
            } else if !std::mem::replace(&mut self.marks.loop_mut(component).live, true) {
                for member in graph.loop_members(component) {
                    self.make_edges_pending(graph, *member, &mut open);
                }
            }
        }
    }

    fn make_edges_pending(&mut self, graph: &Graph, node: NodeId, open: &mut Vec<NodeId>) {
        let mut next = graph.first_out(node);
        while next != NONE {
            let edge = graph.edge(next);
            if !graph.is_internal(edge) {
                self.make_pending(graph, next, edge);
                open.push(edge.target);
            }
            next = edge.next_out;
        }
    }

    fn make_pending(&mut self, graph: &Graph, id: EdgeId, edge: Edge) {
        self.marks.step_edge(id, EdgeEvent::Live);
        self.marks.node_mut(edge.target).pending += 1;
        let component = graph.component(edge.target);
        if component != NONE {
            self.marks.loop_mut(component).busy += 1;
        }
    }

    #[inline]
    fn clear_pending(&mut self, graph: &Graph, id: EdgeId, target: NodeId) {
        self.marks.step_edge(id, EdgeEvent::Settle);
        self.marks.node_mut(target).pending -= 1;
        let component = graph.component(target);
        if component != NONE {
            self.marks.loop_mut(component).busy -= 1;
        }
    }

    fn fire(&mut self, id: EdgeId, target: NodeId) {
        match self.marks.step_edge(id, EdgeEvent::Fire) {
            EdgeState::Idle | EdgeState::Pending => self.marks.count_fire(target),
            EdgeState::Fired | EdgeState::PendingFired => {}
        }
    }

    /// Clears the fired marks of a node that is activated; says the source if it was one alone, else `NONE`.
    pub(crate) fn consume_fires(&mut self, graph: &Graph, node: NodeId) -> NodeId {
        let mut sources = 0;
        let mut source = NONE;
        let mut next = graph.first_in(node);
        while next != NONE {
            let edge = graph.edge(next);
            match self.marks.edge(next) {
                EdgeState::Fired | EdgeState::PendingFired => {
                    self.marks.step_edge(next, EdgeEvent::Consume);
                    sources += 1;
                    source = edge.source;
                }
                EdgeState::Idle | EdgeState::Pending => {}
            }
            next = edge.next_in;
        }
        self.marks.forget_fires(node);
        if sources == 1 {
            source
        } else {
            NONE
        }
    }

    fn activate_join(&mut self, graph: &Graph, story: &mut Story, node: NodeId) {
        let cause = self.consume_fires(graph, node);
        self.activate(graph, story, Activation::new(node, Reason::Join, cause, 0));
    }

    /// Carries out what a completion of `node` does to its out-edges. The activation is no longer counted.
    /// Successors that `asked` has enqueued already do not follow a second time.
    pub(crate) fn settle(
        &mut self,
        graph: &Graph,
        story: &mut Story,
        node: NodeId,
        settlement: Settlement,
        asked: &[Directive],
    ) {
        let all_fire = settlement == Settlement::Fire;
        let mut asked: Vec<NodeId> = asked.iter().filter_map(Directive::enqueued).collect();
        asked.sort_unstable();
        let component = graph.component(node);
        let mark = self.marks.node_mut(node);
        let clears = component == NONE && mark.active == 0 && mark.pending == 0;
        if clears {
            mark.set_live(false);
        }
        let mut settled = Vec::new();
        let mut next = graph.first_out(node);
        while next != NONE {
            let id = next;
            let edge = graph.edge(id);
            let target = edge.target;
            next = edge.next_out;
            let fires = all_fire && (asked.is_empty() || asked.binary_search(&target).is_err());
            if component != NONE && component == graph.component(target) {
                if fires {
                    self.activate(graph, story, Activation::new(target, Reason::Successor, node, 0));
                }
                continue;
            }
            if clears {
                self.clear_pending(graph, id, target);
            }
            if fires && graph.in_degree(target) == 1 {
                self.activate(graph, story, Activation::new(target, Reason::Successor, node, 0));
                continue;
            }
            if fires {
                self.fire(id, target);
            }
            if clears {
                let reason = if all_fire { Reason::SkippedNoPredecessor } else { Reason::SkippedByGoto };
                self.evaluate(graph, story, target, (reason, node), &mut settled);
            }
        }
        if component != NONE {
            let mark = self.marks.loop_mut(component);
            if mark.busy == 0 && mark.live {
                mark.live = false;
                settled.push(Settled::Loop(component));
            }
        }
        if !settled.is_empty() {
            self.clear_all(graph, story, settled);
        }
    }

    /// Looks at a node one of whose in-edges was cleared: it joins, is skipped, or goes on waiting.
    fn evaluate(
        &mut self,
        graph: &Graph,
        story: &mut Story,
        node: NodeId,
        skip: (Reason, NodeId),
        settled: &mut Vec<Settled>,
    ) {
        let mark = self.marks.node(node);
        if mark.pending > 0 {
            return;
        }
        if mark.fired > 0 {
            self.activate_join(graph, story, node);
            return;
        }
        let component = graph.component(node);
        if mark.active == 0 && mark.executions() == 0 {
            story.note(node, skip.0, skip.1);
        }
        if component != NONE {
            let mark = self.marks.loop_mut(component);
            if mark.busy == 0 && mark.live {
                mark.live = false;
                settled.push(Settled::Loop(component));
            }
        } else if mark.active == 0 && mark.live() {
            self.marks.node_mut(node).set_live(false);
            settled.push(Settled::Node(node));
        }
    }

    fn clear_all(&mut self, graph: &Graph, story: &mut Story, mut settled: Vec<Settled>) {
        let mut index = 0;
        while index < settled.len() {
            match settled[index] {
                Settled::Node(node) => self.clear_edges(graph, story, node, &mut settled),
                Settled::Loop(component) => {
                    for member in graph.loop_members(component) {
                        self.clear_edges(graph, story, *member, &mut settled);
                    }
                }
            }
            index += 1;
        }
    }

    fn clear_edges(&mut self, graph: &Graph, story: &mut Story, node: NodeId, settled: &mut Vec<Settled>) {
        let mut next = graph.first_out(node);
        while next != NONE {
            let edge = graph.edge(next);
            if !graph.is_internal(edge) {
                self.clear_pending(graph, next, edge.target);
                self.evaluate(graph, story, edge.target, (Reason::SkippedNoPredecessor, node), settled);
            }
            next = edge.next_out;
        }
    }

    /// Rule 6: nothing can run any more, so nodes that were fired stop waiting. Says whether that gave work.
    pub(crate) fn quiet(&mut self, graph: &Graph, story: &mut Story) -> bool {
        if self.marks.waiting() == 0 {
            return false;
        }
        self.marks.forget_pending(graph.loop_count());
        for (node, _) in self.marks.in_fire_order() {
            if self.marks.node(node).fired > 0 {
                self.activate_join(graph, story, node);
            }
        }
        true
    }

    /// A new edge from an older node: pending at once if its source is live.
    pub(crate) fn edge_added(&mut self, graph: &Graph, id: EdgeId) {
        let edge = graph.edge(id);
        let component = graph.component(edge.source);
        let live =
            if component == NONE { self.marks.node(edge.source).live() } else { self.marks.in_loop(component).live };
        if live && !graph.is_internal(edge) {
            self.make_pending(graph, id, edge);
            self.make_live(graph, edge.target);
        }
    }

    /// Loops were found anew: what is live follows from the activations alone.
    pub(crate) fn rebuild(&mut self, graph: &Graph, story: &mut Story) {
        self.marks.forget_pending(graph.loop_count());
        let active = self.marks.nodes().into_iter().filter(|(_, mark)| mark.active > 0);
        for (node, mark) in active {
            let component = graph.component(node);
            if component != NONE {
                self.marks.loop_mut(component).busy += mark.active;
            }
            self.make_live(graph, node);
        }
        let mut settled = Vec::new();
        for (node, _) in self.marks.in_fire_order() {
            if self.marks.node(node).fired > 0 {
                self.evaluate(graph, story, node, (Reason::SkippedNoPredecessor, NONE), &mut settled);
            }
        }
    }

    /// A checkpoint says that this edge had fired.
    pub(crate) fn restore_fire(&mut self, id: EdgeId, target: NodeId) {
        self.fire(id, target);
    }
}
