//! JSON schemas that allow null only where it can occur.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

/// Removes `null` from the properties that are not required: without a value they are left out,
/// though in Rust they are an `Option` like those that are null then.
#[derive(Clone, Debug)]
pub(super) struct Precise;

impl Transform for Precise {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let required = schema.get("required").cloned().unwrap_or_default();
        let is_required = |name: &String| {
            let names = required.as_array().map(Vec::as_slice).unwrap_or_default();
            names.iter().any(|known| known == name)
        };
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if !is_required(name)
                && let Some(property) = property.as_object_mut()
            {
                never_null(property);
            }
        }
    }
}

fn never_null(property: &mut Map<String, Value>) {
    if let Some(types) = property.get_mut("type")
        && let Some(list) = types.as_array_mut()
    {
        list.retain(|known| known != "null");
        if let [only] = list.as_slice() {
            *types = only.clone();
        }
    }
    if let Some(list) = property.get_mut("anyOf").and_then(Value::as_array_mut) {
        list.retain(|known| known.get("type").is_none_or(|known| known != "null"));
        if let [only] = list.as_slice()
            && let Some(only) = only.as_object().cloned()
        {
            property.remove("anyOf");
            property.extend(only);
        }
    }
}
