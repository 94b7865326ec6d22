//! Sends what an application writes to its end of a tunnel.

use super::{Abort, Download, MIN_READ, TURN};
use crate::stream::tunnel::{Broken, Outbound, Piece, Tunnel};

impl Download {
    /// Sends until the application closes its end. With `upgraded`, what the client sends goes on until it has ended
    /// that too.
    pub(super) async fn send_tunnel(&mut self, mut tunnel: Tunnel, upgraded: bool) -> Result<(), Abort> {
        let shared = self.shared.clone();
        tokio::select! {
            sent = self.send_written(&mut tunnel.outbound) => sent?,
            // No stop waits for a conversation that has no end.
            () = shared.parted(), if upgraded => return self.finish(),
        }
        self.finish()?;
        if upgraded && !tunnel.outbound.is_abandoned() {
            // It may have closed the other direction since, which nobody would tell us.
            let patience = shared.server.config.timeouts.body;
            tokio::select! {
                () = tunnel.inbound.finish(patience) => {}
                () = shared.parted() => {}
            }
        }
        Ok(())
    }

    async fn send_written(&mut self, written: &mut Outbound) -> Result<(), Abort> {
        loop {
            let mut charge = self.memory().try_charge(TURN).unwrap_or_else(|| self.memory().charge(MIN_READ));
            match written.take(charge.bytes())? {
                Piece::Data(bytes) => {
                    let charge = charge.split(bytes.len());
                    self.push(bytes, charge, false).await?;
                }
                Piece::End => return Ok(()),
                Piece::Nothing => {
                    drop(charge);
                    // Windows that are not needed now are for the other streams.
                    self.stream.reserve_capacity(0);
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
