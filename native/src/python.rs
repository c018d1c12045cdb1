//! The border to Python: everything that needs PyO3 and nothing else.

use pyo3::prelude::*;

pub mod arrow;
pub mod block;
mod clock;
mod delivery;
mod facts;
mod keyring;
mod lane;
mod log;
mod many;
mod redact;
mod search;
mod server;
mod shelf;
mod sift;
mod slots;
mod texts;
mod trees;

#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<arrow::Arrow>()?;
    module.add_class::<clock::Clock>()?;
    module.add_class::<delivery::Delivery>()?;
    module.add_class::<keyring::Keyring>()?;
    module.add_class::<lane::Lane>()?;
    module.add_class::<log::Log>()?;
    module.add_class::<server::Server>()?;
    module.add_class::<shelf::Shelf>()?;
    module.add_class::<slots::Slots>()?;
    module.add_class::<texts::Texts>()?;
    module.add_function(wrap_pyfunction!(block::encode_native, module)?)?;
    module.add_function(wrap_pyfunction!(facts::facts, module)?)?;
    module.add_function(wrap_pyfunction!(slots::name_digests, module)?)?;
    module.add_function(wrap_pyfunction!(slots::pick_names, module)?)?;
    module.add_function(wrap_pyfunction!(redact::redact, module)?)?;
    module.add_function(wrap_pyfunction!(search::searchable, module)?)?;
    module.add_function(wrap_pyfunction!(sift::sift, module)?)?;
    module.add_function(wrap_pyfunction!(texts::digest, module)?)?;
    module.add_function(wrap_pyfunction!(trees::arrange, module)?)?;
    module.add_function(wrap_pyfunction!(trees::only_below, module)?)?;
    module.add_function(wrap_pyfunction!(version, module)?)
}
