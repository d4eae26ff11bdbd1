//! The learned numbers that ship with the program, read and checked once.

use ml::{Forest, HashedTable, ModelError, NgramModel};

use crate::features::{SECOND_STAGE_FEATURES, SEGMENT_FEATURES};
use crate::lexical::Lexicon;
use crate::noise::ENDPOINT_FEATURES;
use crate::request::REQUEST_FEATURES;

/// Everything the learner's decisions rest on.
#[derive(Clone, Debug)]
pub struct Models {
    /// Words of APIs.
    pub lexicon: Lexicon,
    /// Is this request an API request?
    pub request: Forest,
    /// Is this segment a value of a parameter, judged by itself?
    pub segment: Forest,
    /// The same, knowing what the first stage thought of the siblings.
    pub segment_second: Forest,
    /// Is this an endpoint, or noise?
    pub endpoint: Forest,
}

/// The files of the models, in the order of [`Models`]' fields.
#[derive(Clone, Copy, Debug)]
pub struct ModelFiles<'a> {
    /// N-gram weights.
    pub ngrams: &'a [u8],
    /// Hashed tokens.
    pub tokens: &'a [u8],
    /// Request forest.
    pub request: &'a [u8],
    /// First segment forest.
    pub segment: &'a [u8],
    /// Second segment forest.
    pub segment_second: &'a [u8],
    /// Endpoint forest.
    pub endpoint: &'a [u8],
}

/// The files shipped.
pub const SHIPPED: ModelFiles<'static> = ModelFiles {
    ngrams: include_bytes!("../models/ngrams.bin"),
    tokens: include_bytes!("../models/tokens.bin"),
    request: include_bytes!("../models/request.bin"),
    segment: include_bytes!("../models/segment.bin"),
    segment_second: include_bytes!("../models/segment-second.bin"),
    endpoint: include_bytes!("../models/endpoint.bin"),
};

impl Models {
    /// Reads model files; a forest for another number of features is refused.
    pub fn read(files: &ModelFiles<'_>) -> Result<Self, ModelError> {
        let forest = |file: &[u8], features: usize| {
            let forest = Forest::read(file)?;
            if forest.features() == features {
                Ok(forest)
            } else {
                Err(ModelError::Inconsistent("a forest was trained for other features"))
            }
        };
        Ok(Self {
            lexicon: Lexicon { ngrams: NgramModel::read(files.ngrams)?, tokens: HashedTable::read(files.tokens)? },
            request: forest(files.request, REQUEST_FEATURES.len())?,
            segment: forest(files.segment, SEGMENT_FEATURES.len())?,
            segment_second: forest(files.segment_second, SEGMENT_FEATURES.len() + SECOND_STAGE_FEATURES)?,
            endpoint: forest(files.endpoint, ENDPOINT_FEATURES.len())?,
        })
    }

    /// The models shipped with this program.
    pub fn shipped() -> Result<Self, ModelError> {
        Self::read(&SHIPPED)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A lexicon that knows nothing.
    pub(crate) fn tiny_lexicon() -> Lexicon {
        Lexicon {
            ngrams: NgramModel::new(0.0, &[0.0; 2]).unwrap(),
            tokens: HashedTable::new(crate::lexical::TOKEN_COLUMNS, Vec::new()).unwrap(),
        }
    }

    #[test]
    fn the_shipped_models_can_be_read_and_are_small() {
        Models::shipped().unwrap();
        let files = [
            SHIPPED.ngrams,
            SHIPPED.tokens,
            SHIPPED.request,
            SHIPPED.segment,
            SHIPPED.segment_second,
            SHIPPED.endpoint,
        ];
        let bytes: usize = files.iter().map(|file| file.len()).sum();
        assert!(bytes < 1_000_000, "{bytes}");
    }
}
