//! Closing without losing what was said last. A socket that is closed while bytes of the peer are unread sends a
//! reset, and the reset can overtake our GOAWAY: so the end is announced, and what still comes is read for a while.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::response::Outcome;
use crate::writer::{Gate, Wire};

/// How long, and how much, a peer may go on sending to a connection that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linger {
    /// What is on its way.
    Brief,
    /// A body that is not wanted, until its client looks up and sees the response.
    Upload,
}

impl Linger {
    fn timeout(self) -> Duration {
        match self {
            Linger::Brief => Duration::from_millis(500),
            Linger::Upload => Duration::from_secs(5),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Linger::Brief => 1024 * 1024,
            Linger::Upload => 64 * 1024 * 1024,
        }
    }
}

/// Writes the last words.
pub(crate) async fn say<T: AsyncWrite + Unpin, G: Gate>(wire: &mut Wire<T, G>, words: &[u8]) -> Outcome {
    wire.enqueue(words);
    match tokio::time::timeout(Linger::Brief.timeout(), wire.flush()).await {
        Ok(Ok(())) => Outcome::Sent,
        Ok(Err(_)) => Outcome::Disconnected,
        Err(_) => Outcome::TimedOut,
    }
}

/// Announces the end and reads until the peer closes.
pub(crate) async fn linger<T: AsyncRead + AsyncWrite + Unpin, G: Gate>(wire: &mut Wire<T, G>, how: Linger) {
    let read_out = async {
        if wire.shutdown().await.is_err() {
            return;
        }
        let io = wire.io_mut();
        // On the heap: the future would be as large from the beginning of the connection.
        let mut sink = vec![0; 4096];
        let mut left = how.bytes();
        while let Ok(count @ 1..) = io.read(&mut sink).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // A peer that does neither is cut off: that is what the timeout is for.
    let _ = tokio::time::timeout(how.timeout(), read_out).await;
}
