//! What a session is found by, in lower case.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, MapArray, StringArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::arrow::{Arrow, import_array};
use crate::block::keys;

/// id, name and user, a line each, then `key=value`, a line each.
#[pyfunction]
pub fn searchable(
    ids: &Bound<'_, PyAny>,
    names: &Bound<'_, PyAny>,
    users: &Bound<'_, PyAny>,
    metadata: &Bound<'_, PyAny>,
) -> PyResult<Arrow> {
    let heads = [texts(ids)?, texts(names)?, texts(users)?];
    let metadata = import_array(metadata)?;
    let wrong = || PyValueError::new_err("searchable: texts and one map of texts for each are needed");
    let maps = metadata.as_any().downcast_ref::<MapArray>().ok_or_else(wrong)?;
    let dictionary = maps.keys().as_any_dictionary_opt().ok_or_else(wrong)?;
    let words = dictionary.values().as_string_opt::<i32>().ok_or_else(wrong)?;
    let values = maps.values().as_string_opt::<i32>().ok_or_else(wrong)?;
    if heads.iter().any(|head| head.len() != maps.len()) {
        return Err(wrong());
    }
    let mut places = Vec::with_capacity(values.len());
    keys::each(dictionary, |place| places.push(place));
    let offsets = maps.value_offsets();
    let mut out = StringBuilder::with_capacity(maps.len(), maps.len() * 128);
    let mut text = String::new();
    for row in 0..maps.len() {
        text.clear();
        for (at, head) in heads.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            lower(&mut text, value(head, row));
        }
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        for (entry, place) in entries.clone().zip(&places[entries]) {
            text.push('\n');
            lower(&mut text, value(words, *place));
            text.push('=');
            lower(&mut text, value(values, entry));
        }
        out.append_value(&text);
    }
    let texts: ArrayRef = Arc::new(out.finish());
    Ok(texts.into())
}

fn texts(object: &Bound<'_, PyAny>) -> PyResult<StringArray> {
    let array = import_array(object)?;
    let texts = array.as_string_opt::<i32>();
    Ok(texts.ok_or_else(|| PyValueError::new_err("searchable: texts are needed"))?.clone())
}

/// '' for what was forgotten.
fn value(texts: &StringArray, row: usize) -> &str {
    if texts.is_null(row) { "" } else { texts.value(row) }
}

fn lower(out: &mut String, text: &str) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_lowercase();
    } else {
        out.push_str(&text.to_lowercase());
    }
}
