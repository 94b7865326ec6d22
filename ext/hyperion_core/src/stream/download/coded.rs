//! Sends a body that the application has put the chunked coding on: the coding is taken off, and the protocol frames
//! the body as it likes.

use bytes::BytesMut;

use super::{Abort, Download, Outlet};
use crate::body::{Charge, Chunk, ChunkedDecoder, Decoded, ResponseBody};

const UNFINISHED: &str = "the body is chunked, and ends before its last chunk";

impl<O: Outlet> Download<O> {
    pub(super) async fn send_coded(&mut self, mut body: ResponseBody) -> Result<(), Abort> {
        let (mut decoder, mut bytes) = (ChunkedDecoder::default(), BytesMut::new());
        loop {
            let end = match self.next_piece(&mut body).await? {
                Chunk::Data { bytes: piece, charge, last } => {
                    bytes.extend_from_slice(&piece);
                    self.send_decoded(&mut decoder, &mut bytes, charge).await?;
                    last.then_some(None)
                }
                Chunk::Spilled(_) => None,
                Chunk::End(trailers) => Some(trailers),
            };
            match end {
                None => {}
                Some(_) if !decoder.is_over() => return Err(Abort::Malformed(UNFINISHED.into())),
                Some(None) => return self.finish(),
                Some(Some(trailers)) => return Ok(self.outlet.send_trailers(trailers)?),
            }
        }
    }

    async fn send_decoded(
        &mut self,
        decoder: &mut ChunkedDecoder,
        bytes: &mut BytesMut,
        mut charge: Charge,
    ) -> Result<(), Abort> {
        loop {
            let decoded =
                decoder.decode(bytes, O::TURN).map_err(|error| Abort::Malformed(error.to_string()))?;
            // What follows the end is no part of the body.
            let Decoded::Data(data) = decoded else { return Ok(()) };
            let charge = charge.split(data.len());
            self.push(data, charge, false).await?;
        }
    }
}
