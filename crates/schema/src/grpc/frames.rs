//! Bodies of gRPC taken apart while they come: messages of a stream are judged one by one, and never more than one is kept.

use super::{Frame, FrameError, GrpcLimits};

/// Takes a body apart, piece by piece.
#[derive(Debug, Default)]
pub struct FrameReader {
    head: [u8; 5],
    head_bytes: usize,
    message: Vec<u8>,
    /// Bytes that the message under way still lacks.
    lacking: usize,
    messages: usize,
}

impl FrameReader {
    /// Takes the next piece and hands out every frame that it completes, in order.
    ///
    /// # Errors
    /// When the bytes are no frames or exceed a limit; nothing may be fed afterwards.
    pub fn feed(
        &mut self,
        limits: &GrpcLimits,
        mut data: &[u8],
        each: &mut dyn FnMut(Frame<'_>),
    ) -> Result<(), FrameError> {
        while !data.is_empty() {
            if let Some(slot) = self.head.get_mut(self.head_bytes..).filter(|slot| !slot.is_empty()) {
                let taken = slot.len().min(data.len());
                let (now, later) = data.split_at(taken);
                for (slot, byte) in slot.iter_mut().zip(now) {
                    *slot = *byte;
                }
                self.head_bytes += taken;
                data = later;
                if self.head_bytes < self.head.len() {
                    return Ok(());
                }
                self.begin(limits)?;
                if self.lacking == 0 {
                    self.complete(&[], each);
                    continue;
                }
            }
            // What is whole within this piece is judged where it lies.
            if self.message.is_empty()
                && let Some((message, later)) = data.split_at_checked(self.lacking)
            {
                self.complete(message, each);
                data = later;
                continue;
            }
            let (now, later) = data.split_at(self.lacking.min(data.len()));
            self.message.extend_from_slice(now);
            self.lacking -= now.len();
            data = later;
            if self.lacking == 0 {
                let message = std::mem::take(&mut self.message);
                self.complete(&message, each);
            }
        }
        Ok(())
    }

    fn begin(&mut self, limits: &GrpcLimits) -> Result<(), FrameError> {
        let [flag, a, b, c, d] = self.head;
        self.lacking = u32::from_be_bytes([a, b, c, d]) as usize;
        self.messages += 1;
        match () {
            () if flag & !0x81 != 0 => Err(FrameError::Flag),
            () if self.lacking > limits.message_bytes_max => Err(FrameError::TooLarge),
            () if self.messages > limits.messages_max => Err(FrameError::TooMany),
            () => Ok(()),
        }
    }

    fn complete(&mut self, message: &[u8], each: &mut dyn FnMut(Frame<'_>)) {
        let [flag, ..] = self.head;
        self.head_bytes = 0;
        self.lacking = 0;
        each(Frame { compressed: flag & 1 == 1, trailers: flag & 0x80 != 0, message });
    }

    /// The body has ended.
    ///
    /// # Errors
    /// When it ends inside a message.
    pub fn end(&self) -> Result<(), FrameError> {
        if self.head_bytes == 0 { Ok(()) } else { Err(FrameError::Truncated) }
    }
}
