//! Documents against their JSON Schema.

use boon::{Compiler, Schemas};
use serde_json::Value;

/// Checks that a document is as a schema says; where it is not, what and where.
///
/// # Panics
/// It is not, or the schema is none.
pub fn fits(schema: &Value, value: &Value, what: &str) {
    // Parts of a schema may be asked for, which do not say what they are parts of.
    let name = schema["$id"].as_str().unwrap_or("https://countersign.invalid/schema.json");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(name, schema.clone()).unwrap();
    let compiled = compiler.compile(name, &mut schemas).unwrap_or_else(|e| panic!("{what}: {e:#}"));
    if let Err(error) = schemas.validate(value, compiled) {
        panic!("{what}: {error:#}\n{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    #[should_panic(expected = "minimum")]
    fn what_does_not_fit_is_told() {
        fits(&json!({"properties": {"a": {"minimum": 2}}}), &json!({"a": 1}), "it");
    }
}
