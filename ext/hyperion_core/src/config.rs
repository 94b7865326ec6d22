//! Typed settings of the core, with defaults and units. Parsed once by whoever starts the server; the core trusts
//! them, and clamps only what HTTP/2 itself bounds.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Everything the core can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the SETTINGS frame advertises, and what is enforced.
    pub http2: Http2,
    /// How long a peer may take.
    pub timeouts: Timeouts,
    /// How much a peer may have.
    pub limits: Limits,
    /// How much memory and disk bodies may use.
    pub buffers: Buffers,
    /// The `server` header of responses that have none; none is added when `None`.
    pub server_header: Option<HeaderValue>,
    /// Whether a request in the clear, where TLS is spoken, is answered by its https URL, and not by 400.
    pub redirect_http: bool,
    /// Threads that run the reactor; at least 1.
    pub io_threads: usize,
    /// Whether each HTTP/2 connection reports how long its first response took.
    pub h2_timing: bool,
}

/// HTTP/2 settings (RFC 9113, section 6.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// SETTINGS_MAX_CONCURRENT_STREAMS; more are answered REFUSED_STREAM.
    pub max_concurrent_streams: u32,
    /// SETTINGS_INITIAL_WINDOW_SIZE, in bytes of request body a stream may have in flight. The window of a connection
    /// is that of all its streams: so much of streamed bodies can be in memory while the application reads none.
    pub initial_window_size: u32,
    /// SETTINGS_MAX_FRAME_SIZE, in bytes.
    pub max_frame_size: u32,
    /// SETTINGS_MAX_HEADER_LIST_SIZE, in bytes as RFC 9113 counts them (32 more for each field).
    pub max_header_list_size: u32,
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, section 3): WebSockets on this connection, and not on one of their
    /// own over HTTP/1.1.
    pub connect_protocol: bool,
}

/// Smallest SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
pub const MIN_FRAME_SIZE: u32 = 0x4000;
/// Largest SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
pub const MAX_FRAME_SIZE: u32 = 0xFF_FFFF;
/// Largest flow-control window (RFC 9113, section 6.9.1).
pub const MAX_WINDOW_SIZE: u32 = 0x7FFF_FFFF;

/// Durations after which a peer that does not move is let go.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From accept to the end of the TLS handshake.
    pub tls_handshake: Duration,
    /// From the end of the handshake to the client preface, and from the first byte of a head to its last.
    pub header: Duration,
    /// Without noticeable progress of a request body.
    pub body: Duration,
    /// Without noticeable progress of a response that has bytes to send.
    pub write: Duration,
    /// Of a connection with no stream open.
    pub keepalive: Duration,
    /// From the start of a graceful stop to dropping what is left.
    pub shutdown: Duration,
    /// Without a sign of the peer, until a PING is sent to it; `None` sends none.
    pub ping_interval: Option<Duration>,
    /// From a PING of ours to its acknowledgement.
    pub ping: Duration,
}

/// Counts and sizes that a peer may not exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; accepting pauses above it.
    pub max_connections: usize,
    /// Requests being served at once by the process.
    pub max_in_flight: usize,
    /// Bytes of a request body.
    pub max_body_size: u64,
}

/// Memory and disk for bodies, in bytes.
#[derive(Clone, Debug)]
pub struct Buffers {
    /// Whether ordinary request bodies are collected before the handler is called.
    pub request_buffering: bool,
    /// Memory for one buffered request body; the rest goes to a temporary file.
    pub request: usize,
    /// Memory for one streamed response.
    pub response: usize,
    /// Temporary file for one streamed response, after its memory.
    pub response_spill: u64,
    /// Memory for all responses of a connection that the kernel has not accepted yet.
    pub max_pending: usize,
    /// Temporary files of the whole process.
    pub spill_limit: u64,
    /// Where temporary files are made.
    pub spill_dir: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            http2: Http2::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            buffers: Buffers::default(),
            server_header: None,
            redirect_http: false,
            io_threads: 1,
            h2_timing: false,
        }
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Http2 {
            max_concurrent_streams: 128,
            initial_window_size: MIB as u32,
            max_frame_size: MIB as u32,
            max_header_list_size: 64 * KIB as u32,
            connect_protocol: true,
        }
    }
}

impl Http2 {
    /// The same settings, each within what RFC 9113 allows.
    pub fn clamped(self) -> Self {
        Http2 {
            initial_window_size: self.initial_window_size.min(MAX_WINDOW_SIZE),
            max_frame_size: self.max_frame_size.clamp(MIN_FRAME_SIZE, MAX_FRAME_SIZE),
            ..self
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            tls_handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            keepalive: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
            ping_interval: None,
            ping: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_connections: 10_000, max_in_flight: 8_192, max_body_size: 1024 * MIB as u64 }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers {
            request_buffering: true,
            request: MIB,
            response: 256 * KIB,
            response_spill: 64 * MIB as u64,
            max_pending: 16 * MIB,
            spill_limit: 4096 * MIB as u64,
            spill_dir: std::env::temp_dir(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_clamped() {
        let low = Http2 { max_frame_size: 1, ..Http2::default() }.clamped();
        assert_eq!(low.max_frame_size, MIN_FRAME_SIZE);
        let high =
            Http2 { max_frame_size: u32::MAX, initial_window_size: u32::MAX, ..Http2::default() }.clamped();
        assert_eq!((high.max_frame_size, high.initial_window_size), (MAX_FRAME_SIZE, MAX_WINDOW_SIZE));
    }
}
