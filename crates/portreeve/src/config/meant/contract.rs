//! Contracts as they are meant: files read and compiled. A contract is enforced whole or not at all: what it says wrongly
//! would otherwise let pass what it was written against.

use std::path::PathBuf;
use std::sync::Arc;

use inspect::stages::contract::{ContractPolicy, GraphqlService, SoapService, Unmentioned, WebSockets, XmlService};
use schema::graphql::{GraphqlContract, GraphqlLimits, Introspection, PersistedQueries, PersistedUse};
use schema::grpc::{GrpcContract, GrpcLimits, UnknownFields};
use schema::xml::soap::SoapContract;
use schema::xml::{XmlContract, XmlLimits};

use super::{Meaning, mode, plain};
use crate::config::written::contract as form;

/// Mistakes of one contract that are told; the first ones lead to the others.
const CONTRACT_ERRORS_MAX: usize = 10;
/// Largest schema, list or WSDL, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Meaning<'_> {
    /// The contracts of an API.
    pub(super) fn contract(&mut self, pointer: &str, written: &form::Contract) -> Option<Arc<ContractPolicy>> {
        let formats = match written {
            form::Contract::Document(text) => return self.openapi(pointer, text).map(Arc::new),
            form::Contract::Formats(formats) => formats,
        };
        let before = self.problems.len();
        let at = |key: &str| format!("{pointer}/{key}");
        let form::Contracts { openapi, graphql, grpc, soap, xml, unknown_endpoints, undeclared_parameters, responses } =
            &**formats;
        if openapi.is_none() && graphql.is_none() && grpc.is_none() && soap.is_none() && xml.is_none() {
            let help = "write one of `openapi`, `graphql`, `grpc`, `soap`, `xml`";
            self.problem(pointer, "there is no contract".to_owned(), help);
        }
        let mut policy = match openapi {
            Some(text) => self.openapi(&at("openapi"), text).unwrap_or_default(),
            None => ContractPolicy::default(),
        };
        policy.graphql = graphql.as_ref().and_then(|graphql| self.graphql(&at("graphql"), graphql)).map(Arc::new);
        policy.grpc = grpc.as_ref().and_then(|grpc| self.grpc(&at("grpc"), grpc)).map(Arc::new);
        policy.soap = soap.as_ref().and_then(|soap| self.soap(&at("soap"), soap)).map(Arc::new);
        policy.xml = xml.as_ref().and_then(|xml| self.xml(&at("xml"), xml)).map(Arc::new);
        policy.unknown_endpoints = unknown_endpoints.map_or(policy.unknown_endpoints, unmentioned);
        policy.undeclared_parameters = undeclared_parameters.map_or(policy.undeclared_parameters, unmentioned);
        policy.responses = responses.map_or(policy.responses, mode);
        (self.problems.len() == before).then(|| Arc::new(policy))
    }

    fn openapi(&mut self, pointer: &str, text: &str) -> Option<ContractPolicy> {
        let before = self.problems.len();
        let path = self.readable(pointer, text);
        if self.problems.len() > before {
            return None;
        }
        let loaded = schema::openapi::load_file(&path, &schema::openapi::LoadOptions::default());
        let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level == schema::document::Level::Error);
        for error in errors.take(CONTRACT_ERRORS_MAX) {
            let help = format!("`{}` line {}, at `{}`", error.file, error.line, error.pointer);
            self.problem(pointer, format!("the contract `{text}` cannot be enforced: {}", error.message), help);
        }
        if !loaded.is_sound() {
            return None;
        }
        self.contracts.extend(loaded.files);
        let (policy, mistakes) = ContractPolicy::of_openapi(Arc::new(loaded.contract?));
        for mistake in mistakes.iter().take(CONTRACT_ERRORS_MAX) {
            self.problem(pointer, format!("the contract `{text}` cannot be enforced: {mistake}"), "");
        }
        mistakes.is_empty().then_some(policy)
    }

    /// The content of a file that belongs to a contract; its changes reload the configuration.
    fn content(&mut self, pointer: &str, text: &str) -> Option<Vec<u8>> {
        let before = self.problems.len();
        let path = self.readable(pointer, text);
        if self.problems.len() > before {
            return None;
        }
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > FILE_BYTES_MAX) {
            self.problem(pointer, format!("`{text}` is too large"), "the largest file here is 64 MiB");
            return None;
        }
        match std::fs::read(&path) {
            Ok(bytes) => {
                self.contracts.push(path);
                Some(bytes)
            }
            Err(error) => {
                self.problem(pointer, format!("`{text}` cannot be read: {}", plain(&error)), "");
                None
            }
        }
    }

    fn paths(&mut self, pointer: &str, paths: &[String], default: &[&str]) -> Vec<String> {
        for (at, path) in paths.iter().enumerate() {
            self.path(&format!("{pointer}/{at}"), path);
        }
        if paths.is_empty() { default.iter().map(|path| (*path).to_owned()).collect() } else { paths.to_vec() }
    }

    fn graphql(&mut self, pointer: &str, written: &form::Graphql) -> Option<GraphqlService> {
        let at = |key: &str| format!("{pointer}/{key}");
        let paths = self.paths(&at("paths"), &written.paths, &["/graphql"]);
        let limits = self.graphql_limits(&at("limits"), &written.limits);
        let introspection = match written.introspection {
            Some(form::Permission::Allow) => Introspection::Allow,
            Some(form::Permission::Refuse) | None => Introspection::Refuse,
        };
        let mut contract = match &written.schema {
            None => GraphqlContract::without_schema(limits, introspection),
            Some(text) => self.graphql_schema(&at("schema"), text, limits, introspection)?,
        };
        if let Some(persisted) = &written.persisted {
            let place = at("persisted/list");
            let bytes = self.content(&place, &persisted.list)?;
            let usage = match persisted.others {
                Some(form::Permission::Allow) => PersistedUse::Beside,
                Some(form::Permission::Refuse) | None => PersistedUse::Only,
            };
            match PersistedQueries::parse(&bytes) {
                Ok(list) => contract = contract.with_persisted(list, usage),
                Err(message) => {
                    self.problem(&place, format!("`{}` is no list of operations: {message}", persisted.list), "");
                    return None;
                }
            }
        }
        let websockets = match written.websockets {
            Some(form::WebSockets::Judge) | None => WebSockets::Judge,
            Some(form::WebSockets::Refuse) => WebSockets::Refuse,
            Some(form::WebSockets::Pass) => WebSockets::Pass,
        };
        Some(GraphqlService { paths, contract, websockets })
    }

    fn graphql_schema(
        &mut self,
        pointer: &str,
        text: &str,
        limits: GraphqlLimits,
        introspection: Introspection,
    ) -> Option<GraphqlContract> {
        let bytes = self.content(pointer, text)?;
        let is_json = bytes.trim_ascii_start().first() == Some(&b'{');
        let loaded = if is_json {
            GraphqlContract::from_introspection(text, &bytes, limits, introspection)
        } else {
            GraphqlContract::from_sdl(text, &String::from_utf8_lossy(&bytes), limits, introspection)
        };
        match loaded {
            Ok(contract) => Some(contract),
            Err(messages) => {
                for message in messages.iter().take(CONTRACT_ERRORS_MAX) {
                    self.problem(pointer, format!("the schema `{text}` cannot be enforced: {message}"), "");
                }
                None
            }
        }
    }

    fn graphql_limits(&mut self, pointer: &str, written: &form::GraphqlLimits) -> GraphqlLimits {
        let form::GraphqlLimits {
            bytes_max,
            tokens_max,
            depth_max,
            aliases_max,
            root_fields_max,
            directives_max,
            fields_max,
            batch_max,
            cost_max,
            list_size,
        } = written;
        let own = GraphqlLimits::default();
        let size = |own: usize, written: &Option<u32>| written.map_or(own, |max| max as usize);
        let count = |own: u64, written: &Option<u32>| written.map_or(own, u64::from);
        GraphqlLimits {
            bytes_max: self.bytes(&format!("{pointer}/bytes_max"), bytes_max.as_ref(), own.bytes_max as u64) as usize,
            tokens_max: size(own.tokens_max, tokens_max),
            depth_max: size(own.depth_max, depth_max),
            aliases_max: count(own.aliases_max, aliases_max),
            root_fields_max: count(own.root_fields_max, root_fields_max),
            directives_max: count(own.directives_max, directives_max),
            fields_max: count(own.fields_max, fields_max),
            batch_max: size(own.batch_max, batch_max),
            cost_max: count(own.cost_max, cost_max),
            list_size: count(own.list_size, list_size),
        }
    }

    fn grpc(&mut self, pointer: &str, written: &form::Grpc) -> Option<GrpcContract> {
        let at = |key: &str| format!("{pointer}/{key}");
        let own = GrpcLimits::default();
        let limits = GrpcLimits {
            message_bytes_max: self.bytes(
                &at("message_bytes_max"),
                written.message_bytes_max.as_ref(),
                own.message_bytes_max as u64,
            ) as usize,
            messages_max: written.messages_max.map_or(own.messages_max, |max| max as usize),
            depth_max: written.depth_max.map_or(own.depth_max, |max| max as usize),
            fields_max: written.fields_max.map_or(own.fields_max, |max| max as usize),
        };
        let unknown = match written.unknown_fields {
            Some(form::Permission::Allow) => UnknownFields::Allow,
            Some(form::Permission::Refuse) | None => UnknownFields::Refuse,
        };
        let (place, loaded) = match (&written.descriptors, written.files.as_slice()) {
            (Some(text), []) => {
                let bytes = self.content(&at("descriptors"), text)?;
                (at("descriptors"), GrpcContract::from_descriptor_set(&bytes, limits, unknown))
            }
            (None, [_, ..]) => {
                let (files, includes) = self.proto_files(pointer, written)?;
                (at("files"), GrpcContract::from_proto_files(&files, &includes, limits, unknown))
            }
            _ => {
                let help = "write `files` with `.proto` files, or `descriptors` with a descriptor set";
                self.problem(pointer, "the services need either files or descriptors".to_owned(), help);
                return None;
            }
        };
        match loaded {
            Ok(contract) if contract.methods().is_empty() => {
                self.problem(&place, "no service is declared".to_owned(), "a `.proto` file with `service` is needed");
                None
            }
            Ok(contract) => {
                self.contracts.extend(contract.files().iter().cloned());
                Some(contract)
            }
            Err(message) => {
                let message: Vec<&str> = message.split_whitespace().collect();
                self.problem(&place, format!("the services cannot be enforced: {}", message.join(" ")), "");
                None
            }
        }
    }

    fn proto_files(&mut self, pointer: &str, written: &form::Grpc) -> Option<(Vec<PathBuf>, Vec<PathBuf>)> {
        let before = self.problems.len();
        let each = written.files.iter().enumerate();
        let files: Vec<PathBuf> =
            each.map(|(at, text)| self.readable(&format!("{pointer}/files/{at}"), text)).collect();
        let mut includes = Vec::new();
        for (at, text) in written.includes.iter().enumerate() {
            let folder = self.base.join(text);
            if !folder.is_dir() {
                let help = format!("looked for it at `{}`", folder.display());
                self.problem(&format!("{pointer}/includes/{at}"), format!("`{text}` is no folder"), help);
            }
            includes.push(folder);
        }
        if self.problems.len() > before {
            return None;
        }
        if includes.is_empty() {
            includes.extend(files.iter().filter_map(|file| Some(file.parent()?.to_path_buf())));
            includes.dedup();
        }
        Some((files, includes))
    }

    fn soap(&mut self, pointer: &str, written: &form::Soap) -> Option<SoapService> {
        let at = |key: &str| format!("{pointer}/{key}");
        if written.paths.is_empty() {
            self.problem(&at("paths"), "there is no path".to_owned(), "write at least one");
        }
        let paths = self.paths(&at("paths"), &written.paths, &[]);
        let before = self.problems.len();
        let path = self.readable(&at("wsdl"), &written.wsdl);
        if self.problems.len() > before {
            return None;
        }
        let limits = xml_limits(written.depth_max, written.elements_max, written.attributes_max);
        match SoapContract::from_wsdl_file(&path, limits) {
            Ok(contract) => {
                // The schemas that it imports are watched as it is.
                self.contracts.extend(contract.files().iter().cloned());
                Some(SoapService { paths, contract })
            }
            Err(message) => {
                // It names the file where it is another one, such as a schema that this one imports.
                let message = message.strip_prefix(&format!("`{}`: ", path.display())).unwrap_or(&message);
                self.problem(&at("wsdl"), format!("`{}` cannot be enforced: {message}", written.wsdl), "");
                None
            }
        }
    }

    fn xml(&mut self, pointer: &str, written: &form::Xml) -> Option<XmlService> {
        let at = |key: &str| format!("{pointer}/{key}");
        if written.paths.is_empty() {
            self.problem(&at("paths"), "there is no path".to_owned(), "write at least one");
        }
        let paths = self.paths(&at("paths"), &written.paths, &[]);
        let before = self.problems.len();
        let path = self.readable(&at("schema"), &written.schema);
        if self.problems.len() > before {
            return None;
        }
        let limits = xml_limits(written.depth_max, written.elements_max, written.attributes_max);
        match XmlContract::from_file(&path, limits) {
            Ok(contract) => {
                self.contracts.extend(contract.files().iter().cloned());
                Some(XmlService { paths, contract })
            }
            Err(messages) => {
                for message in messages.iter().take(CONTRACT_ERRORS_MAX) {
                    self.problem(&at("schema"), format!("`{}` cannot be enforced: {message}", written.schema), "");
                }
                None
            }
        }
    }
}

fn xml_limits(depth_max: Option<u32>, elements_max: Option<u32>, attributes_max: Option<u32>) -> XmlLimits {
    let own = XmlLimits::default();
    let size = |own: usize, written: Option<u32>| written.map_or(own, |max| max as usize);
    XmlLimits {
        depth_max: size(own.depth_max, depth_max),
        elements_max: size(own.elements_max, elements_max),
        attributes_max: size(own.attributes_max, attributes_max),
        ..own
    }
}

fn unmentioned(written: form::Unmentioned) -> Unmentioned {
    match written {
        form::Unmentioned::Ignore => Unmentioned::Ignore,
        form::Unmentioned::Report => Unmentioned::Report,
        form::Unmentioned::Refuse => Unmentioned::Refuse,
    }
}
