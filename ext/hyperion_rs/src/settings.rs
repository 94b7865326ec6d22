//! The typed settings that `HyperionRs::Configuration` hands over, as the core takes them.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use hyperion_core::Config;
use hyperion_core::access_log::{Format, Target};
use hyperion_core::config::{Buffers, Http2, Limits, Timeouts};
use hyperion_core::listener::Binding;
use magnus::{Error, RHash, Ruby, TryConvert};

use crate::errors::Class;

/// What the native server was told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) core: Config,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) admin_bindings: Vec<Binding>,
    pub(crate) redirects: Vec<Binding>,
    pub(crate) backlog: u32,
    /// Descriptors of listening sockets, which belong to Ruby.
    pub(crate) listen_fds: Vec<RawFd>,
    pub(crate) tls: TlsSettings,
    pub(crate) threads_min: usize,
    pub(crate) threads_max: usize,
    pub(crate) early_hints: bool,
    pub(crate) access_log: Option<(Format, Target)>,
    pub(crate) server_software: String,
    pub(crate) rack_version: (u32, u32),
}

/// Where the identity comes from.
#[derive(Debug)]
pub(crate) enum TlsSettings {
    Off,
    Development(PathBuf),
    Files { cert: PathBuf, key: PathBuf },
}

/// Reads the Hash key by key: each must be there, and none may be left over.
struct Reader<'a> {
    ruby: &'a Ruby,
    settings: RHash,
    read: usize,
}

impl Settings {
    /// Takes the Hash of `Configuration#native_settings`. A missing, unknown or mistyped key is a ConfigurationError.
    pub(crate) fn new(ruby: &Ruby, settings: RHash) -> Result<Self, Error> {
        let mut reader = Reader { ruby, settings, read: 0 };
        let core = Config {
            http2: reader.http2()?,
            timeouts: reader.timeouts()?,
            limits: reader.limits()?,
            buffers: reader.buffers()?,
            server_header: reader.server_header()?,
            redirect_http: reader.get("redirect_http")?,
            io_threads: reader.get("io_threads")?,
            h2_timing: reader.get("h2_timing")?,
        };
        let rack_version: Vec<u32> = reader.get("rack_version")?;
        let settings = Settings {
            core,
            bindings: reader.bindings("bind")?,
            admin_bindings: reader.bindings("admin_bind")?,
            redirects: reader.bindings("https_redirect_bind")?,
            backlog: reader.get("backlog")?,
            listen_fds: reader.get::<Option<_>>("listen_fds")?.unwrap_or_default(),
            tls: reader.tls()?,
            threads_min: reader.get("threads_min")?,
            threads_max: reader.get("threads_max")?,
            early_hints: reader.get("early_hints")?,
            access_log: reader.access_log()?,
            server_software: reader.get("server_software")?,
            rack_version: (
                rack_version.first().copied().unwrap_or_default(),
                rack_version.get(1).copied().unwrap_or_default(),
            ),
        };
        reader.finish()?;
        Ok(settings)
    }
}

impl Reader<'_> {
    fn get<T: TryConvert>(&mut self, key: &str) -> Result<T, Error> {
        self.read += 1;
        self.settings
            .fetch::<_, T>(self.ruby.to_symbol(key))
            .map_err(|error| Class::Configuration.error(self.ruby, format_args!("{key}: {error}")))
    }

    fn seconds(&mut self, key: &str) -> Result<Duration, Error> {
        let seconds: f64 = self.get(key)?;
        self.duration(key, seconds)
    }

    fn duration(&self, key: &str, seconds: f64) -> Result<Duration, Error> {
        let error = |error| Class::Configuration.error(self.ruby, format_args!("{key}: {seconds}: {error}"));
        Duration::try_from_secs_f64(seconds).map_err(error)
    }

    fn path(&mut self, key: &str) -> Result<Option<PathBuf>, Error> {
        Ok(self.get::<Option<String>>(key)?.map(PathBuf::from))
    }

    fn http2(&mut self) -> Result<Http2, Error> {
        Ok(Http2 {
            max_concurrent_streams: self.get("h2_max_concurrent_streams")?,
            initial_window_size: self.get("h2_initial_window_size")?,
            max_frame_size: self.get("h2_max_frame_size")?,
            max_header_list_size: self.get("h2_max_header_list_size")?,
            connect_protocol: self.get("h2_connect_protocol")?,
        })
    }

    fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let ping_interval = match self.get::<Option<f64>>("ping_interval")? {
            Some(seconds) => Some(self.duration("ping_interval", seconds)?),
            None => None,
        };
        Ok(Timeouts {
            tls_handshake: self.seconds("tls_handshake_timeout")?,
            header: self.seconds("header_timeout")?,
            body: self.seconds("body_timeout")?,
            write: self.seconds("write_timeout")?,
            keepalive: self.seconds("keepalive_timeout")?,
            shutdown: self.seconds("shutdown_timeout")?,
            ping_interval,
            ping: self.seconds("ping_timeout")?,
        })
    }

    fn limits(&mut self) -> Result<Limits, Error> {
        Ok(Limits {
            max_connections: self.get("max_connections")?,
            max_in_flight: self.get("max_in_flight")?,
            max_body_size: self.get("max_body_size")?,
        })
    }

    fn buffers(&mut self) -> Result<Buffers, Error> {
        Ok(Buffers {
            request_buffering: self.get("request_buffering")?,
            request: self.get("request_buffer")?,
            response: self.get("response_buffer")?,
            response_spill: self.get("response_spill")?,
            max_pending: self.get("max_pending_bytes")?,
            spill_limit: self.get("spill_limit")?,
            spill_dir: self.get::<String>("spill_dir")?.into(),
        })
    }

    fn server_header(&mut self) -> Result<Option<HeaderValue>, Error> {
        let value: String = self.get("server_header")?;
        if value.is_empty() {
            return Ok(None);
        }
        let error = |_| {
            let reason = format_args!("server_header: {value:?} cannot be a header value");
            Class::Configuration.error(self.ruby, reason)
        };
        HeaderValue::from_str(&value).map(Some).map_err(error)
    }

    fn bindings(&mut self, key: &str) -> Result<Vec<Binding>, Error> {
        let uris: Option<Vec<String>> = self.get(key)?;
        uris.unwrap_or_default()
            .iter()
            .map(|uri| {
                uri.parse().map_err(|reason| {
                    Class::Configuration.error(self.ruby, format_args!("{key}: {uri:?}: {reason}"))
                })
            })
            .collect()
    }

    fn tls(&mut self) -> Result<TlsSettings, Error> {
        let development: Option<bool> = self.get("tls_dev")?;
        let dir = self.path("tls_dev_dir")?;
        let files = (self.path("tls_cert")?, self.path("tls_key")?);
        match (development.unwrap_or(false), dir, files) {
            (false, _, (None, None)) => Ok(TlsSettings::Off),
            (true, Some(dir), (None, None)) => Ok(TlsSettings::Development(dir)),
            (false, _, (Some(cert), Some(key))) => Ok(TlsSettings::Files { cert, key }),
            _ => {
                Err(Class::Configuration
                    .error(self.ruby, "tls_cert goes with tls_key, and tls_dev with neither"))
            }
        }
    }

    fn access_log(&mut self) -> Result<Option<(Format, Target)>, Error> {
        let (format, path): (String, String) = (self.get("access_log")?, self.get("access_log_path")?);
        let format = match format.as_str() {
            "off" => return Ok(None),
            "json" => Format::Json,
            "common" => Format::Common,
            other => {
                let reason = format_args!("access_log: {other:?} is no format");
                return Err(Class::Configuration.error(self.ruby, reason));
            }
        };
        let target = if path == "-" { Target::Stdout } else { Target::File(path.into()) };
        Ok(Some((format, target)))
    }

    fn finish(self) -> Result<(), Error> {
        if self.settings.len() == self.read {
            return Ok(());
        }
        let reason = format_args!("{} settings given, {} known", self.settings.len(), self.read);
        Err(Class::Configuration.error(self.ruby, reason))
    }
}
