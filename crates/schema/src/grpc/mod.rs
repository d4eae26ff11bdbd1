//! gRPC: framing and messages judged by their descriptors.
//!
//! Messages are walked in wire format against the descriptor rather than decoded into objects: linear time, no
//! allocation, unknown fields seen as they are. Field rules of `buf.validate` are judged on the same walk. Compressed messages are judged once somebody has decompressed them.

mod frames;
mod rules;
mod wire;

use std::fmt;
use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, MethodDescriptor};

pub use frames::FrameReader;
pub use wire::{WireProblem, WireViolation};

/// Limits on messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcLimits {
    /// Largest message in bytes.
    pub message_bytes_max: usize,
    /// Most messages in one body.
    pub messages_max: usize,
    /// Deepest nesting of messages.
    pub depth_max: usize,
    /// Most fields of one message, nested ones included.
    pub fields_max: usize,
}

impl Default for GrpcLimits {
    fn default() -> Self {
        Self { message_bytes_max: 4 * 1024 * 1024, messages_max: 10_000, depth_max: 64, fields_max: 1_000_000 }
    }
}

/// What becomes of fields that the descriptor does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// They are refused.
    #[default]
    Refuse,
    /// They pass: newer clients may send them.
    Allow,
}

/// The services of an API.
pub struct GrpcContract {
    pool: DescriptorPool,
    limits: GrpcLimits,
    unknown: UnknownFields,
    files: Vec<PathBuf>,
    rules: rules::Rules,
}

/// A method that a path names.
#[derive(Clone, Debug)]
pub struct GrpcMethod(MethodDescriptor);

impl GrpcMethod {
    /// `package.Service/Method`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.0.parent_service().full_name(), self.0.name())
    }

    /// True when this side may send any number of messages; otherwise it sends exactly one, or none with an error.
    pub fn is_streaming(&self, side: GrpcSide) -> bool {
        match side {
            GrpcSide::Request => self.0.is_client_streaming(),
            GrpcSide::Response => self.0.is_server_streaming(),
        }
    }
}

/// What a path names.
#[derive(Clone, Debug)]
pub enum GrpcMatch {
    /// A method.
    Method(GrpcMethod),
    /// The service is known, the method is not.
    UnknownMethod,
    /// The service is not known.
    UnknownService,
}

/// Which of a method's two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcSide {
    /// What the client sends.
    Request,
    /// What the server answers.
    Response,
}

/// Why a body cannot be taken apart into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It ends inside a message.
    Truncated,
    /// The compression flag is neither 0 nor 1 (nor the trailer flag of gRPC-Web).
    Flag,
    /// A message is larger than it may be.
    TooLarge,
    /// More messages than there may be.
    TooMany,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the body ends inside a message",
            Self::Flag => "a message has an unknown flag",
            Self::TooLarge => "a message is too large",
            Self::TooMany => "too many messages",
        })
    }
}

impl std::error::Error for FrameError {}

/// One frame of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'b> {
    /// The message is compressed as the fields of the head say.
    pub compressed: bool,
    /// Trailers of gRPC-Web rather than a message.
    pub trailers: bool,
    /// The message.
    pub message: &'b [u8],
}

impl GrpcContract {
    /// Services by a descriptor set (`protoc --descriptor_set_out --include_imports`).
    pub fn from_descriptor_set(bytes: &[u8], limits: GrpcLimits, unknown: UnknownFields) -> Result<Self, String> {
        let pool = DescriptorPool::decode(bytes).map_err(|error| format!("not a descriptor set: {error}"))?;
        let rules = rules::Rules::of(&pool)?;
        Ok(Self { pool, limits, unknown, files: Vec::new(), rules })
    }

    /// Services by `.proto` files, with the folders their imports are looked for in.
    pub fn from_proto_files<P: AsRef<Path>>(
        files: &[P],
        includes: &[P],
        limits: GrpcLimits,
        unknown: UnknownFields,
    ) -> Result<Self, String> {
        let mut compiler =
            protox::Compiler::new(includes.iter().map(AsRef::as_ref)).map_err(|error| format!("{error:?}"))?;
        compiler.include_imports(true);
        for file in files {
            compiler.open_file(file).map_err(|error| format!("{error:?}"))?;
        }
        let read = compiler.files().filter_map(|file| file.path()).map(Path::to_path_buf).collect();
        let contract = Self::from_descriptor_set(&compiler.encode_file_descriptor_set(), limits, unknown)?;
        Ok(Self { files: read, ..contract })
    }

    /// The `.proto` files that were read, imported ones included: a change of any of them changes the contract.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What the files say that is not enforced, a sentence each: expressions and other rules of `buf.validate` beyond the
    /// standard ones, and all rules of its predecessor. Types, unknown fields and sizes are enforced all the same.
    pub fn unenforced(&self) -> Vec<String> {
        const OLD: &str = "validate/validate.proto";
        let with_rules = |file: &prost_reflect::FileDescriptor| {
            file.dependencies().find(|import| import.name() == OLD)?;
            let file = file.name();
            Some(format!(
                "`{file}` imports `{OLD}`: its field rules are not enforced, only types, unknown fields and sizes"
            ))
        };
        let old = self.pool.files().filter_map(|file| with_rules(&file));
        old.chain(self.rules.unenforced.iter().cloned()).collect()
    }

    /// The names of all methods, `package.Service/Method`.
    pub fn methods(&self) -> Vec<String> {
        let services = self.pool.services();
        services.flat_map(|service| service.methods().map(|m| GrpcMethod(m).name()).collect::<Vec<_>>()).collect()
    }

    /// What a request's path names: `/package.Service/Method`.
    pub fn match_method(&self, path: &str) -> GrpcMatch {
        let Some((service, method)) = path.strip_prefix('/').and_then(|rest| rest.split_once('/')) else {
            return GrpcMatch::UnknownService;
        };
        let Some(service) = self.pool.get_service_by_name(service) else { return GrpcMatch::UnknownService };
        match service.methods().find(|known| known.name() == method) {
            Some(method) => GrpcMatch::Method(GrpcMethod(method)),
            None => GrpcMatch::UnknownMethod,
        }
    }

    /// The limits.
    pub fn limits(&self) -> &GrpcLimits {
        &self.limits
    }

    /// Judges one message, uncompressed. `Ok` when it fits its descriptor.
    pub fn judge_message(&self, method: &GrpcMethod, side: GrpcSide, message: &[u8]) -> Result<(), WireViolation> {
        let descriptor = match side {
            GrpcSide::Request => method.0.input(),
            GrpcSide::Response => method.0.output(),
        };
        wire::judge(&descriptor, message, &self.limits, self.unknown, &self.rules)
    }
}

#[cfg(test)]
mod tests;
