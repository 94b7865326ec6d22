//! Sends what an application writes to its end of a tunnel.

use std::pin::pin;

use super::{Abort, Download, MIN_READ, Outlet};
use crate::stream::tunnel::{Broken, Outbound, Piece, Tunnel};

impl<O: Outlet> Download<O> {
    /// Sends until the application closes its end. With `upgraded`, what the client sends goes on until it has ended
    /// that too.
    pub(super) async fn send_tunnel(&mut self, mut tunnel: Tunnel, upgraded: bool) -> Result<(), Abort> {
        let parted = self.outlet.parted();
        let mut parted = pin!(parted);
        tokio::select! {
            sent = self.send_written(&mut tunnel.outbound) => sent?,
            // No stop waits for a conversation that has no end.
            () = &mut parted, if upgraded => return self.finish(),
        }
        self.finish()?;
        if upgraded && !tunnel.outbound.is_abandoned() {
            // It may have closed the other direction since, which nobody would tell us.
            let patience = self.outlet.server().config.timeouts.body;
            tokio::select! {
                () = tunnel.inbound.finish(patience) => {}
                () = parted => {}
            }
        }
        Ok(())
    }

    async fn send_written(&mut self, written: &mut Outbound) -> Result<(), Abort> {
        loop {
            let mut charge =
                self.memory().try_charge(O::TURN).unwrap_or_else(|| self.memory().charge(MIN_READ));
            match written.take(charge.bytes())? {
                Piece::Data(bytes) => {
                    let charge = charge.split(bytes.len());
                    self.push(bytes, charge, false).await?;
                }
                Piece::End => return Ok(()),
                Piece::Nothing => {
                    drop(charge);
                    // Windows that are not needed now are for the other streams.
                    self.outlet.reserve(0);
                    tokio::select! {
                        biased;
                        readable = written.readable() => readable.map_err(Abort::Io)?,
                        abort = self.watch() => return Err(abort),
                    }
                }
            }
        }
    }
}

impl From<Broken> for Abort {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Application => Abort::Application,
            Broken::Io(error) => Abort::Io(error),
            broken => Abort::Malformed(broken.to_string()),
        }
    }
}
