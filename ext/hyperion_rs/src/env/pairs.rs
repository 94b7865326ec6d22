//! The pairs of one env, gathered before there is a Hash: their keys tell which one it can be a copy of.

use magnus::Ruby;
use rb_sys::VALUE;

use super::shapes::Shapes;
use super::table::{copy, insert};

/// Pairs gathered on the stack, where the garbage collector sees them. Only a request of very many fields has more.
pub(super) const BATCH: usize = 64;

pub(super) struct Pairs {
    template: VALUE,
    /// Made when there were too many pairs.
    begun: Option<VALUE>,
    keys: [VALUE; BATCH],
    values: [VALUE; BATCH],
    count: usize,
    /// Whether all keys live as long as the process.
    lasting: bool,
}

impl Pairs {
    pub(super) fn new(template: VALUE) -> Self {
        Pairs { template, begun: None, keys: [0; BATCH], values: [0; BATCH], count: 0, lasting: true }
    }

    /// Adds a pair whose key lives as long as the process.
    pub(super) fn push(&mut self, key: VALUE, value: VALUE) {
        if self.count == BATCH {
            self.insert();
        }
        self.keys[self.count] = key;
        self.values[self.count] = value;
        self.count += 1;
    }

    /// Adds a pair whose key was made for this env.
    pub(super) fn push_passing(&mut self, key: VALUE, value: VALUE) {
        self.lasting = false;
        self.push(key, value);
    }

    /// A Hash of the template's pairs and these. Called inside `build`, which catches what Ruby raises.
    pub(super) fn env(&mut self, ruby: &Ruby, shapes: &Shapes) -> VALUE {
        let (keys, values) = (&self.keys[..self.count], &self.values[..self.count]);
        let usual = self.begun.is_none() && self.lasting;
        let env = if usual { shapes.env(ruby, self.template, keys, values) } else { None };
        env.unwrap_or_else(|| self.insert())
    }

    fn insert(&mut self) -> VALUE {
        let env = *self.begun.get_or_insert_with(|| copy(self.template));
        insert(env, &self.keys[..self.count], &self.values[..self.count]);
        self.count = 0;
        env
    }
}
