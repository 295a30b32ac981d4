//! Writing pickles of nothing but tuples, lists, dictionaries, texts, numbers, bytes and objects that are their attributes.
//!
//! Owns the opcodes. Must not know what is written with them, nor any object that needs more than these.

/// A pickle that is being written. What is opened must be closed, in order.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
}

const PROTOCOL: &[u8] = b"\x80\x05";

impl Writer {
    /// Begins a pickle anew, in the same buffer.
    pub fn restart(&mut self) {
        self.out.clear();
        self.out.extend_from_slice(PROTOCOL);
    }

    /// Ends the pickle, which must hold one object by now; the buffer stays.
    pub fn end(&mut self) -> &[u8] {
        self.out.push(b'.');
        &self.out
    }

    pub fn none(&mut self) {
        self.out.push(b'N');
    }

    pub fn text(&mut self, text: &str) {
        if let Ok(length) = u8::try_from(text.len()) {
            self.out.extend_from_slice(&[0x8c, length]); // SHORT_BINUNICODE
        } else {
            self.out.push(0x8d); // BINUNICODE8
            self.out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    pub fn number(&mut self, number: i64) {
        if let Ok(small) = u8::try_from(number) {
            self.out.extend_from_slice(&[b'K', small]); // BININT1
        } else if let Ok(small) = i32::try_from(number) {
            self.out.push(b'J'); // BININT
            self.out.extend_from_slice(&small.to_le_bytes());
        } else {
            self.out.extend_from_slice(&[0x8a, 8]); // LONG1 of eight bytes
            self.out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub fn truth(&mut self, value: bool) {
        self.out.push(if value { 0x88 } else { 0x89 }); // NEWTRUE, NEWFALSE
    }

    pub fn float(&mut self, value: f64) {
        self.out.push(b'G'); // BINFLOAT
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Opens a dictionary; its keys and values follow in turns.
    pub fn open_dict(&mut self) {
        self.out.extend_from_slice(b"}(");
    }

    pub fn close_dict(&mut self) {
        self.out.push(b'u');
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        if let Ok(length) = u8::try_from(bytes.len()) {
            self.out.extend_from_slice(&[b'C', length]); // SHORT_BINBYTES
        } else {
            self.out.push(0x8e); // BINBYTES8
            self.out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        }
        self.out.extend_from_slice(bytes);
    }

    pub fn empty_list(&mut self) {
        self.out.push(b']');
    }

    pub fn empty_dict(&mut self) {
        self.out.push(b'}');
    }

    /// What follows is for the list or dictionary before it, or makes a tuple.
    pub fn mark(&mut self) {
        self.out.push(b'(');
    }

    pub fn close_list(&mut self) {
        self.out.push(b'e'); // APPENDS
    }

    pub fn close_tuple(&mut self) {
        self.out.push(b't');
    }

    /// The class with a number, as `crossing.part_of` finds it.
    pub fn part(&mut self, number: u64) {
        self.global("graflow_fast._wire.crossing", "part_of");
        self.number(number as i64);
        self.out.extend_from_slice(&[0x85, b'R']); // TUPLE1, REDUCE
    }

    /// What a module has under a name.
    pub fn global(&mut self, module: &str, name: &str) {
        self.text(module);
        self.text(name);
        self.out.push(0x93); // STACK_GLOBAL
    }

    /// What the function before the last tuple makes of that.
    pub fn call(&mut self) {
        self.out.push(b'R'); // REDUCE
    }

    /// An empty object of the class that was written last.
    pub fn object(&mut self) {
        self.out.extend_from_slice(&[b')', 0x81]); // EMPTY_TUPLE, NEWOBJ
    }

    /// Gives the object before the last dictionary its attributes.
    pub fn build(&mut self) {
        self.out.push(b'b');
    }

    /// Keeps what was written last; such things are counted from 0.
    pub fn memoize(&mut self) {
        self.out.push(0x94);
    }

    /// What was kept as that.
    pub fn again(&mut self, place: u32) {
        match u8::try_from(place) {
            Ok(place) => self.out.extend_from_slice(&[b'h', place]), // BINGET
            Err(_) => {
                self.out.push(b'j'); // LONG_BINGET
                self.out.extend_from_slice(&place.to_le_bytes());
            }
        }
    }
}
