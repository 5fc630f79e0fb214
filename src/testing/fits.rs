//! Checks a value against the schema of a code's details. It checks the keywords that
//! [`details`](error_envelope_core::code::details) allows.

use serde_json::Value;

use error_envelope_core::code::details::{is_of_type, types};

/// Lists the parts of a value that do not fit the schema. Each text names the path of the part, and its value.
pub(super) fn misfits(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(forms) = schema["anyOf"].as_array() {
        let fits = forms.iter().any(|form| misfits(form, value, at).is_empty());
        return if fits { Vec::new() } else { vec![format!("{at}: {value} fits none of the allowed schemas")] };
    }
    let misfit = |what: String| vec![format!("{at}: {value} is {what}")];
    let is_of_one = |types: &[&str]| types.iter().any(|name| is_of_type(value, name));
    let types = types(schema);
    if !types.is_empty() && !is_of_one(&types) {
        return misfit(format!("no {}", types.join(" and no ")));
    }
    if let Some(values) = schema["enum"].as_array().filter(|values| !values.iter().any(|one| equal(one, value))) {
        return misfit(format!("none of {}", Value::from(values.clone())));
    }
    // The value of `const` may be null, so this checks whether the keyword is present.
    if let Some(one) = schema.get("const").filter(|one| !equal(one, value)) {
        return misfit(format!("not {one}"));
    }
    match value {
        Value::Object(_) => of_object(schema, value, at),
        Value::Array(list) => {
            let mut wrong = of_count(schema, ("minItems", "maxItems"), list.len(), "elements", at);
            for (index, one) in list.iter().enumerate() {
                wrong.extend(misfits(&schema["items"], one, &format!("{at}.{index}")));
            }
            wrong
        }
        Value::String(text) => of_count(schema, ("minLength", "maxLength"), text.chars().count(), "characters", at),
        Value::Number(_) => of_number(schema, value, at),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn of_object(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| value.get(name).is_none());
    let mut wrong: Vec<_> = missing.map(|name| format!("{at}: there is no {name:?}")).collect();
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]) {
            Value::Bool(false) => wrong.push(format!("{at}: this field is not allowed")),
            schema => wrong.extend(misfits(schema, member, &at)),
        }
    }
    wrong
}

fn of_count(schema: &Value, (least, most): (&str, &str), count: usize, what: &str, at: &str) -> Vec<String> {
    let count = count as u64;
    let few = schema[least].as_u64().filter(|least| count < *least).map(|least| format!("fewer than {least}"));
    let many = schema[most].as_u64().filter(|most| count > *most).map(|most| format!("more than {most}"));
    few.or(many).map(|wrong| format!("{at}: {count} {what} are {wrong}")).into_iter().collect()
}

fn of_number(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(number) = value.as_f64() else { return Vec::new() };
    let low = schema["minimum"].as_f64().filter(|least| number < *least).map(|least| format!("less than {least}"));
    let high = schema["maximum"].as_f64().filter(|most| number > *most).map(|most| format!("more than {most}"));
    low.or(high).map(|wrong| format!("{at}: {value} is {wrong}")).into_iter().collect()
}

/// Returns true if two values are equal as in JSON Schema, where 1 and 1.0 are equal.
fn equal(one: &Value, other: &Value) -> bool {
    one == other || one.is_number() && other.is_number() && one.as_f64() == other.as_f64()
}
