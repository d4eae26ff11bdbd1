//! The sample API's own document: what its authors know of. The endpoints they forgot are not in it.

use serde_json::{Value, json};

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Lantern shop", "version": "1.4.0"},
        "servers": [{"url": "https://shop.example.com/api/v1"}],
        "paths": {
            "/products": {"get": operation("listProducts", vec![
                parameter("page", "query", json!({"type": "integer", "minimum": 1})),
                parameter("limit", "query", json!({"type": "integer", "minimum": 1, "maximum": 50})),
                parameter("category", "query", json!({"type": "string", "enum": ["light", "garden", "tools", "kitchen"]})),
            ], None, "200", Some("ProductList"))},
            "/products/{productId}": {"get": operation("getProduct", vec![id("productId")], None, "200", Some("Product"))},
            "/products/{productId}/reviews": {
                "get": operation("listReviews", vec![id("productId")], None, "200", None),
                "post": operation("addReview", vec![id("productId")], Some("Review"), "201", None),
            },
            "/search": {"get": operation("search", vec![
                parameter("q", "query", json!({"type": "string", "maxLength": 80})),
            ], None, "200", None)},
            "/login": {"post": operation("logIn", vec![], Some("Credentials"), "200", None)},
            "/signup": {"post": operation("signUp", vec![], Some("Credentials"), "201", None)},
            "/password-reset": {"post": operation("resetPassword", vec![], Some("Email"), "201", None)},
            "/events": {"get": operation("events", vec![], None, "200", None)},
            "/users/me": {"get": operation("me", vec![], None, "200", Some("Account"))},
            "/users/{userId}": {
                "get": operation("getUser", vec![uuid("userId")], None, "200", Some("Account")),
                "patch": operation("changeUser", vec![uuid("userId")], Some("AccountChange"), "200", Some("Account")),
            },
            "/carts/{cartId}/items": {
                "get": operation("listItems", vec![uuid("cartId")], None, "200", None),
                "post": operation("addItem", vec![uuid("cartId")], Some("Item"), "201", None),
            },
            "/carts/{cartId}/items/{sku}": {"delete": operation("removeItem", vec![
                uuid("cartId"),
                path_parameter("sku", json!({"type": "string", "pattern": "^SKU-[0-9]{5}$"})),
            ], None, "204", None)},
            "/orders": {
                "get": operation("listOrders", vec![], None, "200", None),
                "post": operation("createOrder", vec![], Some("NewOrder"), "201", None),
            },
            "/orders/{orderId}": {"get": operation("getOrder", vec![id("orderId")], None, "200", None)},
            "/orders/{orderId}/payments": {"post": operation("pay", vec![id("orderId")], Some("Payment"), "201", None)},
        },
        "components": {"schemas": schemas()},
    })
}

fn schemas() -> Value {
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false});
    let text = |max: u32| json!({"type": "string", "maxLength": max});
    let email = json!({"type": "string", "format": "email"});
    json!({
        "Product": object(&["id", "sku", "name", "price"], json!({
            "id": {"type": "integer"}, "sku": text(9), "name": text(80), "category": text(20), "stock": {"type": "integer"},
            "price": {"type": "object", "required": ["amount", "currency"], "properties": {"amount": {"type": "integer"}, "currency": text(3)}},
            "tags": {"type": "array", "items": text(10)},
        })),
        "ProductList": object(&["items"], json!({
            "page": {"type": "integer"}, "limit": {"type": "integer"}, "total": {"type": "integer"},
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/Product"}},
        })),
        "Review": object(&["stars"], json!({"stars": {"type": "integer", "minimum": 1, "maximum": 5}, "text": text(500)})),
        "Credentials": object(&["email", "password"], json!({"email": email, "password": text(128)})),
        "Email": object(&["email"], json!({ "email": email })),
        "Account": object(&["id"], json!({
            "id": text(64), "email": email, "name": text(80), "phone": text(24), "created": {"type": "string", "format": "date-time"},
        })),
        "AccountChange": object(&[], json!({"name": text(80), "phone": text(24)})),
        "Item": object(&["sku", "quantity"], json!({"sku": text(9), "quantity": {"type": "integer", "minimum": 1, "maximum": 99}})),
        "NewOrder": object(&["cart"], json!({"cart": {"type": "string", "format": "uuid"}, "note": text(200)})),
        "Payment": object(&["method"], json!({"method": {"type": "string", "enum": ["card", "invoice", "sepa"]}})),
    })
}

fn operation(name: &str, parameters: Vec<Value>, body: Option<&str>, status: &str, answer: Option<&str>) -> Value {
    let content =
        |schema: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
    let mut response = json!({"description": "Done."});
    if let (Some(answer), Some(response)) = (answer, response.as_object_mut()) {
        response.insert("content".to_owned(), content(answer));
    }
    let mut operation = json!({"operationId": name, "parameters": parameters, "responses": {status: response}});
    if let (Some(body), Some(operation)) = (body, operation.as_object_mut()) {
        operation.insert("requestBody".to_owned(), json!({"required": true, "content": content(body)}));
    }
    operation
}

fn parameter(name: &str, place: &str, schema: Value) -> Value {
    json!({"name": name, "in": place, "required": place == "path", "schema": schema})
}

fn path_parameter(name: &str, schema: Value) -> Value {
    parameter(name, "path", schema)
}

fn id(name: &str) -> Value {
    path_parameter(name, json!({"type": "integer", "minimum": 1}))
}

fn uuid(name: &str) -> Value {
    path_parameter(name, json!({"type": "string", "format": "uuid"}))
}
