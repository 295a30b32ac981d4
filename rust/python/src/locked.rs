//! State of extension classes that several threads may ask for at once.
//!
//! Owns one rule: who waits for another thread lets go of the interpreter meanwhile. A thread that waited with it would keep
//! the holder from going on, with the interpreter's lock, and the collector from starting, without it. Also, a thread that
//! asks for what it holds itself is told so instead of waiting for ever. Must not know what is locked.
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

thread_local! {
    /// Its address stands for the thread.
    static HERE: u8 = const { 0 };
}

fn here() -> usize {
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

/// State that one thread at a time has. Only threads that are attached to the interpreter may ask for it.
#[derive(Default)]
pub(crate) struct Locked<T> {
    turn: Turn,
    value: UnsafeCell<T>,
}

/// Whose turn it is.
#[derive(Default)]
struct Turn {
    /// The thread that has it, 0 for none. It is taken by attached threads only, not by those that wait: so it does not
    /// change while the collector looks, which must see the same each time.
    holder: AtomicUsize,
    waiting: AtomicUsize,
    gate: Mutex<()>,
    freed: Condvar,
}

// SAFETY: the value is only reached through `Held`, of which there is one at a time.
unsafe impl<T: Send> Sync for Locked<T> {}

/// The state, for as long as this lives; it stays in its thread.
pub(crate) struct Held<'a, T> {
    lock: &'a Locked<T>,
    stays: PhantomData<*const ()>,
}

impl<T> Locked<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { turn: Turn::default(), value: UnsafeCell::new(value) }
    }

    /// The state, once no other thread has it. For state that is never held while code runs that could come back here.
    #[inline]
    pub(crate) fn get(&self) -> Held<'_, T> {
        match self.get_free() {
            Some(held) => held,
            None => self.wait().unwrap_or_else(|_| panic!("state is in use where it was asked for")),
        }
    }

    /// The same for state that is held while code of the user's runs, `__eq__` of a key: an error if that code asks for it.
    #[inline]
    pub(crate) fn ask(&self) -> PyResult<Held<'_, T>> {
        self.get_free().map_or_else(|| self.wait(), Ok)
    }

    /// The state if no thread has it, not even this one.
    #[inline]
    pub(crate) fn get_free(&self) -> Option<Held<'_, T>> {
        self.turn.take().then(|| Held { lock: self, stays: PhantomData })
    }

    #[cold]
    fn wait(&self) -> PyResult<Held<'_, T>> {
        if self.turn.holder.load(Ordering::Relaxed) == here() {
            return Err(PyRuntimeError::new_err(
                "a key's __eq__ or __hash__ uses the channel in which the key is looked for: it can't see that channel",
            ));
        }
        let turn = &self.turn;
        loop {
            Python::attach(|py| py.detach(|| turn.wait()));
            if let Some(held) = self.get_free() {
                return Ok(held);
            }
        }
    }
}

impl Turn {
    #[inline]
    fn take(&self) -> bool {
        self.holder.compare_exchange(0, here(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn leave(&self) {
        self.holder.store(0, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) != 0 {
            // With the gate closed: nobody is between looking at the holder and falling asleep.
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.freed.notify_all();
            drop(gate);
        }
    }

    /// Waits until nobody has it.
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while self.holder.load(Ordering::SeqCst) != 0 {
            gate = self.freed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this is the one `Held` there is.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this is the one `Held` there is.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.turn.leave();
    }
}
