//! `Slots`: live sessions, their names and the packed rows of their traces.

use std::sync::{Arc, Mutex};

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::arrow::{Arrow, import};
use super::many::{Bytes, ends, joined, locked, plain};
use crate::slots::{self, Pair};

const NAME: [&str; 3] = ["Tenant", "Project", "SessionId"];

#[pyclass(frozen, module = "sojourn._native")]
pub struct Slots(Mutex<slots::Slots>);

#[pymethods]
impl Slots {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn find(&self, py: Python<'_>, keys: PyBuffer<u64>) -> PyResult<Bytes> {
        let slots = locked(&self.0);
        let found: Vec<i64> = keys
            .to_vec(py)?
            .into_iter()
            .map(|key| slots.find(key).map_or(-1, i64::from))
            .collect();
        plain(py, &found, i64::to_le_bytes)
    }

    fn add(&self, py: Python<'_>, keys: PyBuffer<u64>, names: &Bound<'_, PyAny>) -> PyResult<Bytes> {
        let (keys, names) = (keys.to_vec(py)?, Names::import(names)?);
        if keys.len() != names.0[0].len() {
            return Err(PyValueError::new_err("one name per key is needed"));
        }
        let mut slots = locked(&self.0);
        let mut name = String::new();
        let found: Vec<i64> = keys
            .into_iter()
            .enumerate()
            .map(|(row, key)| i64::from(slots.add(key, names.join(row, &mut name))))
            .collect();
        plain(py, &found, i64::to_le_bytes)
    }

    fn forget(&self, py: Python<'_>, slots: PyBuffer<i64>) -> PyResult<()> {
        let mut all = locked(&self.0);
        for slot in checked(py, &slots, all.capacity())? {
            all.forget(slot);
        }
        Ok(())
    }

    fn rows(&self, py: Python<'_>, slots: PyBuffer<i64>) -> PyResult<(Bytes, Bytes, Bytes, Bytes)> {
        let all = locked(&self.0);
        let none = Pair::default();
        let pairs: Vec<&Pair> = slots
            .to_vec(py)?
            .into_iter()
            .map(|slot| known(slot, all.capacity()).map(|slot| slot.map_or(&none, |slot| all.pair(slot))))
            .collect::<PyResult<_>>()?;
        let sizes = |of: fn(&Pair) -> &[u8]| -> Vec<i64> { pairs.iter().map(|pair| of(pair).len() as i64).collect() };
        Ok((
            plain(py, &sizes(Pair::rows), i64::to_le_bytes)?,
            joined(py, pairs.iter().map(|pair| pair.rows()))?,
            plain(py, &sizes(Pair::facets), i64::to_le_bytes)?,
            joined(py, pairs.iter().map(|pair| pair.facets()))?,
        ))
    }

    fn keep(
        &self,
        py: Python<'_>,
        slots: PyBuffer<i64>,
        row_sizes: PyBuffer<i64>,
        rows: &[u8],
        facet_sizes: PyBuffer<i64>,
        facets: &[u8],
    ) -> PyResult<()> {
        let mut all = locked(&self.0);
        let slots = checked(py, &slots, all.capacity())?;
        let row_ends = ends(py, &row_sizes, slots.len(), rows)?;
        let facet_ends = ends(py, &facet_sizes, slots.len(), facets)?;
        let (mut row, mut facet) = (0, 0);
        for ((slot, rows_end), facets_end) in slots.into_iter().zip(row_ends).zip(facet_ends) {
            all.keep(slot, Pair::new(&rows[row..rows_end], &facets[facet..facets_end]));
            (row, facet) = (rows_end, facets_end);
        }
        Ok(())
    }

    fn names(&self, py: Python<'_>, slots: PyBuffer<i64>, told: &Bound<'_, PyAny>, rows: PyBuffer<i64>) -> PyResult<Arrow> {
        let all = locked(&self.0);
        let (told, rows) = (Names::import(told)?, rows.to_vec(py)?);
        let mut out = Naming::default();
        for (at, slot) in slots.to_vec(py)?.into_iter().enumerate() {
            match known(slot, all.capacity())? {
                Some(slot) => out.append(all.name(slot).splitn(NAME.len(), '\0')),
                None => out.append(told.row(rows.get(at).copied().unwrap_or(-1))?),
            }
        }
        out.finish()
    }

    fn __len__(&self) -> usize {
        locked(&self.0).len()
    }
}

/// Names in the making.
#[derive(Default)]
struct Naming([StringBuilder; NAME.len()]);

impl Naming {
    fn append<'a>(&mut self, parts: impl IntoIterator<Item = &'a str>) {
        for (builder, part) in self.0.iter_mut().zip(parts) {
            builder.append_value(part);
        }
    }

    fn finish(mut self) -> PyResult<Arrow> {
        let columns = NAME.into_iter().zip(self.0.iter_mut());
        let columns = columns.map(|(name, part)| (name, Arc::new(part.finish()) as ArrayRef));
        let records = RecordBatch::try_from_iter(columns).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(records.into())
    }
}

/// None for slot -1, which stands for a session that has none.
fn known(slot: i64, capacity: usize) -> PyResult<Option<u32>> {
    match usize::try_from(slot) {
        Ok(place) if place < capacity => Ok(Some(place as u32)),
        Err(_) if slot == -1 => Ok(None),
        _ => Err(PyIndexError::new_err(format!("there is no slot {slot}"))),
    }
}

fn checked(py: Python<'_>, slots: &PyBuffer<i64>, capacity: usize) -> PyResult<Vec<u32>> {
    let known = slots.to_vec(py)?.into_iter().map(|slot| known(slot, capacity));
    known
        .map(|slot| slot?.ok_or_else(|| PyIndexError::new_err("there is no slot -1")))
        .collect()
}

/// Names of sessions: tenant, project and id as three columns of texts.
struct Names([StringArray; 3]);

impl Names {
    fn import(records: &Bound<'_, PyAny>) -> PyResult<Self> {
        let records = import(records)?;
        let column = |name: &str| -> PyResult<StringArray> {
            let column = records
                .column_by_name(name)
                .and_then(|column| column.as_any().downcast_ref::<StringArray>());
            let column = column.ok_or_else(|| PyValueError::new_err(format!("a column {name} of texts is needed")))?;
            Ok(column.clone())
        };
        Ok(Self([column(NAME[0])?, column(NAME[1])?, column(NAME[2])?]))
    }

    fn row(&self, row: i64) -> PyResult<[&str; NAME.len()]> {
        let place = usize::try_from(row).ok().filter(|row| *row < self.0[0].len());
        let row = place.ok_or_else(|| PyIndexError::new_err(format!("there is no name in row {row}")))?;
        Ok(self
            .0
            .each_ref()
            .map(|column| if column.is_null(row) { "" } else { column.value(row) }))
    }

    fn join<'a>(&self, row: usize, name: &'a mut String) -> &'a str {
        name.clear();
        for (at, column) in self.0.iter().enumerate() {
            if at > 0 {
                name.push('\0');
            }
            if !column.is_null(row) {
                name.push_str(column.value(row));
            }
        }
        name
    }
}

/// The digest of every name: that of `tenant \0 project \0 session id`.
#[pyfunction]
pub fn name_digests(py: Python<'_>, names: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let names = Names::import(names)?;
    let mut name = String::new();
    let digests: Vec<u64> = (0..names.0[0].len())
        .map(|row| xxh3_64(names.join(row, &mut name).as_bytes()))
        .collect();
    plain(py, &digests, u64::to_le_bytes)
}

/// The names of these rows.
#[pyfunction]
pub fn pick_names(py: Python<'_>, names: &Bound<'_, PyAny>, rows: PyBuffer<i64>) -> PyResult<Arrow> {
    let names = Names::import(names)?;
    let mut out = Naming::default();
    for row in rows.to_vec(py)? {
        out.append(names.row(row)?);
    }
    out.finish()
}
