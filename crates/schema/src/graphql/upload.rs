//! Multipart uploads (GraphQL multipart request specification): a part `operations` with the request, a part `map` that
//! says which variables the files belong to, and the files.

use serde_json::Value;

use super::request::RequestError;

/// Most places that files are put into.
const PLACES_MAX: usize = 1_000;

/// The JSON of a multipart request with its files put in place: every variable that a file belongs to becomes the name of
/// its part, so that it is judged as present. The error names the part that is missing or wrong.
pub fn operations_of_upload(content_type: &str, body: &[u8]) -> Result<Vec<u8>, RequestError> {
    let boundary = crate::openapi::boundary(content_type).ok_or(RequestError::Multipart)?;
    let parts = crate::openapi::parts(body, &boundary).map_err(|_| RequestError::Multipart)?;
    let one = |wanted: &str| {
        let mut named = parts.iter().filter(|part| part.name == wanted);
        match (named.next(), named.next()) {
            (Some(part), None) => Ok(part.content),
            // Two parts of the name: readers take the first or the last.
            _ => Err(RequestError::Multipart),
        }
    };
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|_| RequestError::Multipart);
    let mut operations = read(one("operations")?)?;
    let map = read(one("map")?)?;
    let Value::Object(map) = map else { return Err(RequestError::Multipart) };
    let mut places = 0;
    for (file, paths) in &map {
        if parts.iter().filter(|part| part.name == *file).count() != 1 {
            return Err(RequestError::Multipart);
        }
        for path in paths.as_array().into_iter().flatten() {
            places += 1;
            let place = path.as_str().and_then(|path| place_of(&mut operations, path));
            match place {
                // The specification wants `null` where a file goes: anything else would be replaced behind our back.
                Some(place) if place.is_null() && places <= PLACES_MAX => *place = Value::String(file.clone()),
                _ => return Err(RequestError::Multipart),
            }
        }
    }
    let is_known = |name: &str| matches!(name, "operations" | "map") || map.contains_key(name);
    if !parts.iter().all(|part| is_known(&part.name)) {
        return Err(RequestError::Multipart);
    }
    serde_json::to_vec(&operations).map_err(|_| RequestError::Multipart)
}

/// The value at a dotted path such as `0.variables.files.1`, below the variables of an operation.
fn place_of<'v>(operations: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let below = path.split('.').find(|step| step.parse::<usize>().is_err());
    if below != Some("variables") {
        return None;
    }
    path.split('.').try_fold(operations, |value, step| match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(operations: &str, map: &str, files: &[&str]) -> Vec<u8> {
        let part = |name: &str, content: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
        };
        let files: String = files.iter().map(|name| part(name, "bytes")).collect();
        format!("{}{}{files}--b--\r\n", part("operations", operations), part("map", map)).into_bytes()
    }

    fn read(body: &[u8]) -> Result<String, RequestError> {
        operations_of_upload("multipart/form-data; boundary=b", body).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn files_are_put_where_the_map_says_and_nowhere_else() {
        let operations = r#"{"query":"q","variables":{"file":null,"list":[null]}}"#;
        let read_back = read(&body(operations, r#"{"0":["variables.file","variables.list.0"]}"#, &["0"])).unwrap();
        assert_eq!(read_back, r#"{"query":"q","variables":{"file":"0","list":["0"]}}"#);
        for (map, files) in [
            (r#"{"0":["query"]}"#, &["0"][..]),
            (r#"{"0":["variables.other"]}"#, &["0"]),
            (r#"{"0":["variables.file"]}"#, &[]),
            (r#"{}"#, &["stray"]),
            (r#"{"0":["variables.file"]}"#, &["0", "0"]),
            (r#"[]"#, &[]),
        ] {
            assert_eq!(read(&body(operations, map, files)), Err(RequestError::Multipart), "{map} {files:?}");
        }
        assert_eq!(read(b"nothing"), Err(RequestError::Multipart));
    }
}
