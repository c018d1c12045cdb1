//! Whose rows are whose. A request is of one tenant, so a group keeps only where the rows of another one begin: one tenant costs nothing
//! per row.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;

use crate::columns::{Words, dictionary};

pub struct Tenants {
    words: Words,
    /// First row and tenant of each stretch. Before the first one: tenant 0, which has no name.
    stretches: Vec<(usize, u32)>,
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            words: Words::with_empty(),
            stretches: Vec::new(),
        }
    }
}

impl Tenants {
    /// The rows from `row` on are of this tenant. Gives its number.
    pub fn begin(&mut self, tenant: &str, row: usize) -> u32 {
        let number = self.words.intern(tenant.as_bytes());
        if self.stretches.last().map_or(0, |(_, last)| *last) != number {
            self.stretches.push((row, number));
        }
        number
    }

    pub fn mark(&self) -> (usize, u32) {
        (self.stretches.len(), self.words.len())
    }

    pub fn truncate(&mut self, (stretches, words): (usize, u32)) {
        self.stretches.truncate(stretches);
        self.words.truncate(words);
    }

    pub fn bytes(&self) -> usize {
        self.words.bytes() + 16 * self.stretches.len()
    }

    /// The tenant of each row.
    pub fn finish(self, rows: usize) -> Result<ArrayRef, ArrowError> {
        let mut numbers = vec![0; rows];
        for (row, number) in self.stretches {
            numbers[row.min(rows)..].fill(number);
        }
        dictionary(numbers, self.words.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt32Type;

    use super::*;

    #[test]
    fn rows_are_those_of_the_request_that_brought_them() {
        let mut tenants = Tenants::default();
        assert_eq!(tenants.begin("", 0), 0);
        assert_eq!((tenants.begin("a", 2), tenants.begin("a", 3)), (1, 1));
        let mark = tenants.mark();
        tenants.begin("gone", 4);
        tenants.truncate(mark);
        assert_eq!((tenants.begin("b", 4), tenants.begin("", 5)), (2, 0));
        let array = tenants.finish(6).unwrap();
        let words = array.as_dictionary::<UInt32Type>().downcast_dict::<StringArray>().unwrap();
        assert_eq!(
            words.into_iter().map(Option::unwrap).collect::<Vec<_>>(),
            ["", "", "a", "a", "b", ""]
        );
    }
}
