//! Many entries at once, in and out, as plain bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

pub type Bytes = Py<PyBytes>;
pub type ByteArray = Py<PyByteArray>;

pub fn plain<const N: usize, T: Copy>(py: Python<'_>, numbers: &[T], bytes: impl Fn(T) -> [u8; N]) -> PyResult<Bytes> {
    let fill = |out: &mut [u8]| {
        for (place, number) in out.as_chunks_mut::<N>().0.iter_mut().zip(numbers) {
            *place = bytes(*number);
        }
        Ok(())
    };
    Ok(PyBytes::new_with(py, N * numbers.len(), fill)?.unbind())
}

/// Strings of bytes, one after the other.
pub fn joined<'a>(py: Python<'_>, parts: impl Iterator<Item = &'a [u8]> + Clone) -> PyResult<Bytes> {
    Ok(PyBytes::new_with(py, length(parts.clone()), |out| fill(out, parts))?.unbind())
}

/// The same, for rows that Python numbers anew.
pub fn writable<'a>(py: Python<'_>, parts: impl Iterator<Item = &'a [u8]> + Clone) -> PyResult<ByteArray> {
    Ok(PyByteArray::new_with(py, length(parts.clone()), |out| fill(out, parts))?.unbind())
}

fn length<'a>(parts: impl Iterator<Item = &'a [u8]>) -> usize {
    parts.map(<[u8]>::len).sum()
}

fn fill<'a>(mut out: &mut [u8], parts: impl Iterator<Item = &'a [u8]>) -> PyResult<()> {
    for part in parts {
        let (place, rest) = out.split_at_mut(part.len());
        place.copy_from_slice(part);
        out = rest;
    }
    Ok(())
}

/// Where the rows of each entry end, in bytes.
pub fn ends(py: Python<'_>, sizes: &PyBuffer<i64>, count: usize, bytes: &[u8]) -> PyResult<Vec<usize>> {
    let mut ends = Vec::with_capacity(count);
    let mut end = 0_usize;
    for size in sizes.to_vec(py)? {
        end = usize::try_from(size)
            .ok()
            .and_then(|size| end.checked_add(size))
            .unwrap_or(usize::MAX);
        ends.push(end);
    }
    if ends.len() != count || end != bytes.len() {
        return Err(PyValueError::new_err(
            "one size per entry is needed, and they must add up to the bytes",
        ));
    }
    Ok(ends)
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
