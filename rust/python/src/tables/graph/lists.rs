//! Lists of numbers by number, for graphs with millions of edges; and the edges of a graph, in both directions.
//!
//! Owns memory and order. A list of one number takes no room of its own; longer ones lie in pieces of 3, 6, 12, ... places,
//! many in one block, or in a block of their own. Nothing moves but a list that outgrows its piece. Must not know what the
//! numbers stand for.
use crate::tables::columns::Blocks;

/// Where a list is: the one number itself, else the place of its piece, or of its own block.
#[derive(Clone, Copy, Default)]
struct Head {
    at: u32,
    length: u32,
}

/// Pieces of this kind, or above, are blocks of their own; as many places has a block of smaller ones.
const LARGE: usize = 10;
const BLOCK: usize = 3 << LARGE;

/// A list of numbers for each number.
#[derive(Default)]
pub(crate) struct Lists {
    heads: Blocks<Head>,
    blocks: Vec<Vec<u32>>,
    large: Vec<Vec<u32>>,
    /// Pieces that are no longer used, by kind.
    free: Vec<Vec<u32>>,
}

/// The kind of piece that so many numbers need, and its places.
fn piece_for(length: u32) -> (usize, u32) {
    let kind = length.div_ceil(3).next_power_of_two().trailing_zeros();
    (kind as usize, 3 << kind)
}

impl Lists {
    pub(crate) fn of(&self, key: u32) -> &[u32] {
        match self.heads.get(key as usize) {
            None | Some(Head { length: 0, .. }) => &[],
            Some(Head { at, length: 1 }) => std::slice::from_ref(at),
            Some(Head { at, length }) => &self.places(*at, *length)[..*length as usize],
        }
    }

    pub(crate) fn push(&mut self, key: u32, number: u32) {
        let key = key as usize;
        while key >= self.heads.len() {
            self.heads.push(Head::default());
        }
        let Head { at, length } = *self.head(key);
        if length == 0 {
            *self.head(key) = Head { at: number, length: 1 };
            return;
        }
        let (kind, places) = piece_for(length);
        let to = if length == 1 {
            let to = self.piece(0);
            self.places_mut(to, 0)[0] = at;
            to
        } else if length == places {
            let to = self.piece(kind + 1);
            let moved = self.places(at, length).to_vec();
            self.places_mut(to, kind + 1)[..moved.len()].copy_from_slice(&moved);
            self.give_back(at, length);
            to
        } else {
            at
        };
        let (kind, _) = piece_for(length + 1);
        self.places_mut(to, kind)[length as usize] = number;
        *self.head(key) = Head { at: to, length: length + 1 };
    }

    fn head(&mut self, key: usize) -> &mut Head {
        self.heads.get_mut(key).expect("made before")
    }

    /// The places of a list of more than one number.
    fn places(&self, at: u32, length: u32) -> &[u32] {
        let (kind, places) = piece_for(length);
        if kind >= LARGE {
            return &self.large[at as usize];
        }
        let (block, first) = (at as usize / BLOCK, at as usize % BLOCK);
        &self.blocks[block][first..first + places as usize]
    }

    fn places_mut(&mut self, at: u32, kind: usize) -> &mut [u32] {
        if kind >= LARGE {
            return &mut self.large[at as usize];
        }
        let (block, first) = (at as usize / BLOCK, at as usize % BLOCK);
        &mut self.blocks[block][first..first + (3 << kind)]
    }

    /// Lets the list be this one.
    pub(crate) fn set(&mut self, key: u32, list: &[u32]) {
        if let Some(head) = self.heads.get_mut(key as usize) {
            let Head { at, length } = std::mem::take(head);
            if length > 1 {
                self.give_back(at, length);
            }
        }
        for number in list {
            self.push(key, *number);
        }
    }

    /// Takes a number out of a list that has it once.
    fn remove(&mut self, key: u32, number: u32) {
        let left: Vec<u32> = self.of(key).iter().copied().filter(|other| *other != number).collect();
        self.set(key, &left);
    }

    /// Lets a number take the place of another one.
    fn replace(&mut self, key: u32, old: u32, new: u32) {
        let changed: Vec<u32> = self.of(key).iter().map(|number| if *number == old { new } else { *number }).collect();
        self.set(key, &changed);
    }

    fn piece(&mut self, kind: usize) -> u32 {
        if let Some(at) = self.free.get_mut(kind).and_then(Vec::pop) {
            return at;
        }
        let places = 3 << kind;
        let at = if kind >= LARGE {
            self.large.push(vec![0; places]);
            self.large.len() - 1
        } else {
            if self.blocks.last().is_none_or(|last| last.len() + places > BLOCK) {
                self.blocks.push(Vec::with_capacity(if self.blocks.is_empty() { places } else { BLOCK }));
            }
            let blocks = self.blocks.len() - 1;
            let last = &mut self.blocks[blocks];
            let first = last.len();
            last.resize(first + places, 0);
            blocks * BLOCK + first
        };
        u32::try_from(at).expect("the edges of a graph take less than 2^32 places")
    }

    fn give_back(&mut self, at: u32, length: u32) {
        let (kind, _) = piece_for(length);
        if kind >= self.free.len() {
            self.free.resize(kind + 1, Vec::new());
        }
        self.free[kind].push(at);
    }
}

/// The edges of a graph, each once, in the order in which they were added at either end.
#[derive(Default)]
pub(crate) struct Edges {
    outgoing: Lists,
    incoming: Lists,
    count: usize,
}

impl Edges {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Where the edges of a vertex lead.
    pub(crate) fn from(&self, source: u32) -> &[u32] {
        self.outgoing.of(source)
    }

    /// Where the edges to a vertex come from.
    pub(crate) fn to(&self, target: u32) -> &[u32] {
        self.incoming.of(target)
    }

    pub(crate) fn has(&self, source: u32, target: u32) -> bool {
        let (from, to) = (self.from(source), self.to(target));
        // One of the two is mostly short, also where many edges meet.
        if from.len() <= to.len() {
            from.contains(&target)
        } else {
            to.contains(&source)
        }
    }

    /// Adds an edge; false if it is there already.
    pub(crate) fn add(&mut self, source: u32, target: u32) -> bool {
        if self.has(source, target) {
            return false;
        }
        self.outgoing.push(source, target);
        self.incoming.push(target, source);
        self.count += 1;
        true
    }

    /// Removes an edge, if it is there.
    pub(crate) fn unlink(&mut self, source: u32, target: u32) {
        if self.has(source, target) {
            self.outgoing.remove(source, target);
            self.incoming.remove(target, source);
            self.count -= 1;
        }
    }

    /// Removes all edges of a vertex.
    pub(crate) fn remove(&mut self, vertex: u32) {
        for target in self.from(vertex).to_vec() {
            self.incoming.remove(target, vertex);
            self.count -= 1;
        }
        self.outgoing.set(vertex, &[]);
        for source in self.to(vertex).to_vec() {
            self.outgoing.remove(source, vertex);
            self.count -= 1;
        }
        self.incoming.set(vertex, &[]);
    }

    /// The edges between vertices that have got other numbers.
    pub(crate) fn renumbered(&self, numbers: &[u32]) -> Self {
        let renumber = |lists: &Lists| {
            let mut copy = Lists::default();
            for (old, new) in numbers.iter().enumerate() {
                for number in lists.of(old as u32) {
                    copy.push(*new, numbers[*number as usize]);
                }
            }
            copy
        };
        Self { outgoing: renumber(&self.outgoing), incoming: renumber(&self.incoming), count: self.count }
    }

    /// Both directions, for `from_bytes`: of each vertex the length of its list, then the list.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 * self.count);
        for lists in [&self.outgoing, &self.incoming] {
            bytes.extend((lists.heads.len() as u32).to_le_bytes());
            for key in 0..lists.heads.len() as u32 {
                let list = lists.of(key);
                bytes.extend((list.len() as u32).to_le_bytes());
                bytes.extend(list.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
        bytes
    }

    /// The edges that `to_bytes` wrote; what is missing is left out.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut numbers = bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let mut read = || {
            let mut lists = Lists::default();
            let keys = numbers.next().unwrap_or(0);
            for key in 0..keys {
                for _ in 0..numbers.next().unwrap_or(0) {
                    match numbers.next() {
                        Some(number) => lists.push(key, number),
                        None => return lists,
                    }
                }
            }
            lists
        };
        let (outgoing, incoming) = (read(), read());
        let count = outgoing.heads.iter().map(|head| head.length as usize).sum();
        Self { outgoing, incoming, count }
    }

    /// Gives the edges of a vertex to another one, which has none, in their places.
    pub(crate) fn hand_over(&mut self, old: u32, new: u32) {
        if self.has(old, old) {
            self.outgoing.replace(old, old, new);
            self.incoming.replace(old, old, new);
        }
        let (targets, sources) = (self.from(old).to_vec(), self.to(old).to_vec());
        self.outgoing.set(old, &[]);
        self.incoming.set(old, &[]);
        for target in targets.iter().filter(|target| **target != new) {
            self.incoming.replace(*target, old, new);
        }
        for source in sources.iter().filter(|source| **source != new) {
            self.outgoing.replace(*source, old, new);
        }
        self.outgoing.set(new, &targets);
        self.incoming.set(new, &sources);
    }
}
