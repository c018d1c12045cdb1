//! `Texts`: texts by their hash, shared by decoding threads and Python.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch, StringArray};
use arrow_schema::DataType;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xxhash_rust::xxh3::xxh3_64;

use super::arrow::{Arrow, import_array};
use crate::block::keys;
use crate::texts::{self, Open};

#[pyclass(frozen, module = "sojourn._native")]
pub struct Texts(pub Arc<texts::Texts>);

#[pymethods]
impl Texts {
    #[new]
    fn new(budget: usize) -> Self {
        Self(Arc::new(texts::Texts::new(budget)))
    }

    fn intern<'py>(&self, py: Python<'py>, array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let array = import_array(array)?;
        let hashes = hashes_of(&mut self.0.lock(), &array)?;
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        Ok(PyBytes::new(py, &bytes))
    }

    fn lookup(&self, py: Python<'_>, hashes: &Bound<'_, PyAny>) -> PyResult<Arrow> {
        let hashes = numbers(py, hashes)?;
        let mut open = self.0.lock();
        let mut out = StringBuilder::with_capacity(hashes.len(), hashes.len() * 16);
        for hash in hashes {
            out.append_option(open.lookup(hash));
        }
        let texts: ArrayRef = Arc::new(out.finish());
        Ok(texts.into())
    }

    fn keys(&self, py: Python<'_>, hashes: &Bound<'_, PyAny>) -> PyResult<Arrow> {
        let hashes = numbers(py, hashes)?;
        let mut open = self.0.lock();
        let mut parts = [StringBuilder::new(), StringBuilder::new(), StringBuilder::new()];
        for hash in hashes {
            let text = open.lookup(hash);
            let mut split = text.map(|text| text.splitn(3, '\0'));
            for part in &mut parts {
                part.append_option(split.as_mut().map(|split| split.next().unwrap_or_default()));
            }
        }
        let columns = ["Tenant", "Project", "SessionId"].into_iter().zip(parts.iter_mut());
        let columns = columns.map(|(name, part)| (name, Arc::new(part.finish()) as ArrayRef, true));
        let records = RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(records.into())
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// Little-endian uint64 in any buffer: an array of them, or plain bytes.
fn numbers(py: Python<'_>, object: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    if let Ok(buffer) = PyBuffer::<u64>::get(object) {
        return buffer.to_vec(py);
    }
    let bytes = PyBuffer::<u8>::get(object)?.to_vec(py)?;
    if bytes.len() % 8 != 0 {
        return Err(PyValueError::new_err("lookup: hashes are 8 bytes each"));
    }
    Ok(bytes.as_chunks::<8>().0.iter().map(|each| u64::from_le_bytes(*each)).collect())
}

fn hashes_of(open: &mut Open<'_>, array: &ArrayRef) -> PyResult<Vec<u64>> {
    match array.data_type() {
        DataType::Utf8 => Ok(of_texts(open, array.as_any().downcast_ref::<StringArray>().into_iter().flatten())),
        DataType::LargeUtf8 => Ok(of_texts(
            open,
            array.as_any().downcast_ref::<LargeStringArray>().into_iter().flatten(),
        )),
        DataType::Null => Ok(vec![0; array.len()]),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let known = hashes_of(open, dictionary.values())?;
            let places = keys::or_null(dictionary).into_iter();
            Ok(places.map(|place| place.map_or(0, |place| known[place as usize])).collect())
        }
        other => Err(PyTypeError::new_err(format!("intern: expected texts, got {other}"))),
    }
}

fn of_texts<'a>(open: &mut Open<'_>, texts: impl Iterator<Item = Option<&'a str>>) -> Vec<u64> {
    texts.map(|text| open.intern(text.unwrap_or_default())).collect()
}

#[pyfunction]
pub fn digest(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<u64> {
    Ok(xxh3_64(&data.to_vec(py)?))
}
