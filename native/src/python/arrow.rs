//! Arrow data over the border to Python without copying: the C data interface in capsules. The one place with `unsafe`.
//!
//! Protocol: <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>

use std::ffi::CStr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, make_array};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

const ARRAY: &CStr = c"arrow_array";
const SCHEMA: &CStr = c"arrow_schema";

/// Arrow data on its way to Python: `pyarrow.record_batch(it)` or `pyarrow.array(it)` takes it without copying.
#[pyclass(frozen, name = "Arrow", module = "sojourn._native")]
pub struct Arrow(ArrayRef);

impl From<RecordBatch> for Arrow {
    fn from(records: RecordBatch) -> Self {
        Self(std::sync::Arc::new(StructArray::from(records)))
    }
}

impl From<ArrayRef> for Arrow {
    fn from(array: ArrayRef) -> Self {
        Self(array)
    }
}

#[pymethods]
impl Arrow {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema; // a wish that a producer may leave unanswered
        let (array, schema) = to_ffi(&self.0.to_data()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok((
            PyCapsule::new_with_value(py, schema, SCHEMA)?,
            PyCapsule::new_with_value(py, array, ARRAY)?,
        ))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

/// Takes an array over from any object with `__arrow_c_array__`, sharing its buffers. TypeError if the object has no such method.
pub fn import_array(object: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    if !object.hasattr("__arrow_c_array__")? {
        return Err(PyTypeError::new_err(format!(
            "expected Arrow data (an object with __arrow_c_array__), got {}",
            object.get_type().name()?
        )));
    }
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) = object.call_method0("__arrow_c_array__")?.extract()?;
    let schema = schema.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(ARRAY))?.cast::<FFI_ArrowArray>();
    // SAFETY: capsules of these names hold initialised C structures that stay alive as long as the capsules, which are held here. The
    // array is moved out, as the protocol asks; the schema stays with its capsule.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr()), schema.as_ref()) };
    Ok(make_array(data.map_err(|error| PyValueError::new_err(error.to_string()))?))
}

/// Takes a record batch over from any object with `__arrow_c_array__`. ValueError if it is not a struct, or has null rows.
pub fn import(object: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let array = import_array(object)?;
    match array.as_any().downcast_ref::<StructArray>() {
        Some(rows) if rows.null_count() == 0 => Ok(RecordBatch::from(rows)),
        Some(_) => Err(PyValueError::new_err("expected a record batch, got a struct array with null rows")),
        None => Err(PyValueError::new_err(format!(
            "expected a record batch, got an array of {}",
            array.data_type()
        ))),
    }
}
