//! What is shown of a run at one moment, as plain values. Must not know how they come about, nor how they look.

/// A function's tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionFigures {
    /// What it is called.
    pub name: String,
    /// How many of its tasks have ended.
    pub done: u64,
    /// How many there are, as far as is known.
    pub total: u64,
    /// How many are running.
    pub running: u64,
    /// Seconds that one takes, if any has ended.
    pub mean: Option<f64>,
}

/// A body that is running.
#[derive(Clone, Debug, PartialEq)]
pub struct Busy {
    /// Its node, if that is known.
    pub node: Option<u32>,
    /// The task's name; "" as long as nobody has said it.
    pub task: String,
    /// The number of its worker and its process; `None` in this process.
    pub worker: Option<(usize, i32)>,
    /// For how many seconds.
    pub seconds: f64,
    /// Seconds that others of its function take, if any has ended.
    pub others: Option<f64>,
    /// What the body said of itself, such as `3/10 epoch 3`.
    pub said: String,
}

impl Busy {
    /// Whether it runs for so long that somebody should look at it.
    pub fn is_slow(&self) -> bool {
        self.seconds > 10.0 && self.others.is_none_or(|others| self.seconds > 5.0 * others)
    }
}

/// A run at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The workflow's name.
    pub name: String,
    /// Tasks (and items of maps) that have ended.
    pub done: u64,
    /// How many there are, as far as is known; `None` when that is not known yet.
    pub total: Option<u64>,
    /// Whether tasks have been added lately.
    pub grows: bool,
    /// How many have failed for good.
    pub failed: u64,
    /// How many attempts were or will be repeated.
    pub retried: u64,
    /// Seconds since the run began.
    pub elapsed: f64,
    /// Seconds that are left, where there is something to go by.
    pub left: Option<f64>,
    /// How many workers there may be; 0: everything runs in this process.
    pub workers: u64,
    /// How busy they are, 0 to 1.
    pub busy: Option<f64>,
    /// The functions whose tasks are under way, the busiest first.
    pub functions: Vec<FunctionFigures>,
    /// Bodies that are running, the longest first.
    pub running: Vec<Busy>,
}

impl Figures {
    /// How many tasks end in a second.
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed.max(1e-3)
    }

    /// How much is done, in percent; 100 only when everything is.
    pub fn percent(&self) -> Option<u64> {
        self.total.filter(|total| *total > 0).map(|total| (self.done * 100 / total).min(100))
    }
}
