//! The part of JSON Schema that the project's own schemas use, checked.

use serde_json::Value;

/// Checks types, required and additional members as far as our schemas use them.
pub fn fits(schema: &Value, value: &Value, at: &str) {
    if let Some(any) = schema["anyOf"].as_array() {
        return fits(&any[usize::from(value.is_null())], value, at);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
    }
    match schema["type"].as_str() {
        Some("object") => {
            let members = value.as_object().unwrap_or_else(|| panic!("{at}: no object"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at}: {name} is missing");
            }
            for (name, value) in members {
                match &schema["properties"][name] {
                    Value::Null => assert_ne!(schema["additionalProperties"], false, "{at}.{name}"),
                    inner => fits(inner, value, &format!("{at}.{name}")),
                }
            }
        }
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at}: no array")) {
                fits(&schema["items"], item, at);
            }
        }
        Some("string") => assert!(value.is_string(), "{at}"),
        Some("integer") => assert!(value.is_u64(), "{at}"),
        Some("number") => assert!(value.is_number(), "{at}"),
        Some("boolean") => assert!(value.is_boolean(), "{at}"),
        _ => {}
    }
}
