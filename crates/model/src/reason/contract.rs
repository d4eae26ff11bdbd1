//! Reasons of positive security: how a message departs from its declared or learned contract.

use super::{Category, reasons};

reasons! {
    /// How a message departs from its contract.
    ContractReason, "contract" {
        UnknownEndpoint = "unknown-endpoint", Medium, "OWASP API9:2023", "no operation of the contract matches";
        UnknownMethod = "unknown-method", Medium, "OWASP API9:2023", "the path is declared, the method is not";
        UndeclaredParameter = "undeclared-parameter", Low, "OWASP API3:2023", "a parameter or field is not declared";
        ParameterMissing = "parameter-missing", Medium, "OpenAPI 3.1 section 4.8.12", "a required parameter is missing";
        ParameterInvalid = "parameter-invalid", Medium, "OpenAPI 3.1 section 4.8.12", "a parameter is not as declared";
        ContentTypeUndeclared = "content-type-undeclared", Medium, "OpenAPI 3.1 section 4.8.13", "the content type of the body is not declared";
        BodyMissing = "body-missing", Medium, "OpenAPI 3.1 section 4.8.13", "a required body is missing";
        BodyMalformed = "body-malformed", Medium, "RFC 8259", "the body is not well-formed for its content type";
        BodyInvalid = "body-invalid", Medium, "OpenAPI 3.1 section 4.8.13", "the body is not as declared";
        BodyUninspected = "body-uninspected", Low, "CWE-693", "the body was larger than what is inspected";
        JsonDuplicateKey = "json-duplicate-key", Medium, "RFC 8259 section 4", "a JSON object has the same key twice";
        JsonLimit = "json-limit", Medium, "CWE-770", "the JSON text exceeds a limit of depth, keys, length or number range";
        GraphqlInvalid = "graphql-invalid", Medium, "GraphQL October 2021 section 5", "the GraphQL operation does not fit the schema";
        GraphqlLimit = "graphql-limit", Medium, "OWASP API4:2023", "the GraphQL operation exceeds a limit of depth, aliases, cost or size";
        GraphqlIntrospection = "graphql-introspection", Low, "CWE-200", "the GraphQL operation asks for the schema";
        GraphqlUnlisted = "graphql-unlisted", Medium, "CWE-863", "the GraphQL operation is not on the list of persisted queries";
        GrpcInvalid = "grpc-invalid", Medium, "Protocol Buffers encoding", "the gRPC message does not fit its descriptor";
        GrpcLimit = "grpc-limit", Medium, "OWASP API4:2023", "the gRPC call exceeds a limit of message size, number, depth or fields";
        XmlInvalid = "xml-invalid", Medium, "XML Schema 1.0", "the XML document does not fit its schema";
        XmlForbidden = "xml-forbidden", High, "CWE-611", "the XML document has a document type definition or exceeds a limit";
        SoapInvalid = "soap-invalid", Medium, "WSDL 1.1", "the SOAP message is not as its service declares";
        BodyTooLarge = "body-too-large", Medium, "CWE-770", "the body is larger than its operation allows";
        StatusUndeclared = "status-undeclared", Low, "OpenAPI 3.1 section 4.8.16", "the status of the response is not declared";
        ResponseInvalid = "response-invalid", Medium, "OpenAPI 3.1 section 4.8.17", "the response is not as declared";
        ExcessData = "excess-data", Medium, "OWASP API3:2023", "the response has fields that are not declared";
    }
}

impl ContractReason {
    /// The kind of threat.
    pub const fn category(self) -> Category {
        match self {
            Self::UnknownEndpoint | Self::UnknownMethod => Category::UnknownEndpoint,
            Self::ExcessData => Category::DataLeak,
            _ => Category::SchemaViolation,
        }
    }

    /// The status of the answer when this refuses a message.
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownEndpoint => 404,
            Self::UnknownMethod => 405,
            Self::ContentTypeUndeclared => 415,
            Self::BodyUninspected | Self::BodyTooLarge => 413,
            Self::GraphqlIntrospection | Self::GraphqlUnlisted => 403,
            Self::StatusUndeclared | Self::ResponseInvalid | Self::ExcessData => 502,
            _ => 400,
        }
    }
}
