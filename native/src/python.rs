//! The border to Python: everything that needs PyO3 and nothing else.

use pyo3::prelude::*;

pub mod arrow;
pub mod block;
mod trees;

#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<arrow::Arrow>()?;
    module.add_function(wrap_pyfunction!(block::encode_native, module)?)?;
    module.add_function(wrap_pyfunction!(trees::arrange, module)?)?;
    module.add_function(wrap_pyfunction!(trees::only_below, module)?)?;
    module.add_function(wrap_pyfunction!(version, module)?)
}
