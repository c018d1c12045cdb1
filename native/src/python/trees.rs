use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::trees;

fn plain(py: Python<'_>, numbers: &[i64]) -> PyResult<Py<PyBytes>> {
    let fill = |bytes: &mut [u8]| {
        for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        Ok(())
    };
    Ok(PyBytes::new_with(py, 8 * numbers.len(), fill)?.unbind())
}

type Four = (Py<PyBytes>, Py<PyBytes>, Py<PyBytes>, Py<PyBytes>);

#[pyfunction]
pub fn arrange(
    py: Python<'_>,
    trace: PyBuffer<u32>,
    span: PyBuffer<u64>,
    parent: PyBuffer<u64>,
    end: PyBuffer<u64>,
    digest: PyBuffer<u64>,
    bits: u32,
) -> PyResult<Four> {
    let (trace, span, parent) = (trace.to_vec(py)?, span.to_vec(py)?, parent.to_vec(py)?);
    let (end, digest) = (end.to_vec(py)?, digest.to_vec(py)?);
    let count = trace.len();
    if [span.len(), parent.len(), end.len(), digest.len()] != [count; 4] || !(1..=63).contains(&bits) {
        return Err(PyValueError::new_err("arrange: columns of one length and 1 to 63 bits are needed"));
    }
    let rows = trees::Spans {
        trace: &trace,
        span: &span,
        parent: &parent,
        end: &end,
        digest: &digest,
    };
    let found = py.detach(|| trees::arrange(&rows, bits));
    Ok((
        plain(py, &found.order)?,
        plain(py, &found.first)?,
        plain(py, &found.up)?,
        plain(py, &found.cut)?,
    ))
}

#[pyfunction]
pub fn only_below(py: Python<'_>, up: PyBuffer<i64>, marked: PyBuffer<u8>) -> PyResult<Py<PyBytes>> {
    let (up, marked) = (up.to_vec(py)?, marked.to_vec(py)?);
    if up.len() != marked.len() || up.iter().any(|&row| row < -1 || row >= up.len() as i64) {
        return Err(PyValueError::new_err(
            "only_below: one mark per row and parents among the rows are needed",
        ));
    }
    let marked: Vec<bool> = marked.into_iter().map(|mark| mark != 0).collect();
    plain(py, &py.detach(|| trees::only_below(&up, &marked)))
}
