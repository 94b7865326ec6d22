//! What all requests of a site have in common, by protocol.

use hyperion_core::request::{Protocol, Request};
use magnus::prelude::*;
use magnus::value::Opaque;
use magnus::{Error, RHash, Ruby, Value, gc};

use super::shapes::Shapes;
use crate::settings::Settings;

/// The Hashes that the envs of a site begin as; marked by its `Roots`.
pub(crate) struct Templates {
    /// By protocol, in the clear and with TLS.
    hashes: [[Opaque<RHash>; 2]; 3],
    pub(super) shapes: Shapes,
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Http10, Protocol::Http11, Protocol::Http2];

impl Templates {
    pub(crate) fn new(ruby: &Ruby, settings: &Settings) -> Result<Self, Error> {
        let errors: Value = ruby.eval("$stderr")?;
        let template = |protocol, tls| template(ruby, settings, protocol, tls, errors);
        let mut hashes = [[template(Protocol::Http2, false)?.into(); 2]; 3];
        for protocol in PROTOCOLS {
            hashes[protocol as usize] = [template(protocol, false)?.into(), template(protocol, true)?.into()];
        }
        Ok(Templates { hashes, shapes: Shapes::new() })
    }

    /// What the env of this request begins as.
    pub(super) fn of(&self, ruby: &Ruby, request: &Request) -> RHash {
        ruby.get_inner(self.hashes[request.protocol as usize][usize::from(request.peer.tls.is_some())])
    }

    pub(crate) fn mark(&self, marker: &gc::Marker) {
        self.hashes.iter().flatten().for_each(|template| marker.mark(*template));
        self.shapes.mark(marker);
    }
}

/// What all requests of a site by one protocol have in common.
fn template(
    ruby: &Ruby,
    settings: &Settings,
    protocol: Protocol,
    tls: bool,
    errors: Value,
) -> Result<RHash, Error> {
    let env = ruby.hash_new();
    let text = |value: &str| ruby.str_new(value).to_interned_str();
    env.aset(text("SCRIPT_NAME"), text(""))?;
    env.aset(text("SERVER_PROTOCOL"), text(protocol.name()))?;
    env.aset(text("SERVER_SOFTWARE"), text(&settings.server_software))?;
    env.aset(text("rack.url_scheme"), text(if tls { "https" } else { "http" }))?;
    env.aset(text("rack.errors"), errors)?;
    env.aset(text("rack.multithread"), true)?;
    env.aset(text("rack.multiprocess"), false)?;
    env.aset(text("rack.run_once"), false)?;
    if tls {
        env.aset(text("HTTPS"), text("on"))?;
    }
    if settings.rack_version.0 < 3 {
        let version = ruby.ary_from_vec(vec![1, 3]);
        version.freeze();
        env.aset(text("rack.version"), version)?;
        env.aset(text("HTTP_VERSION"), text(protocol.name()))?;
    }
    env.aset(text("rack.hijack?"), true)?;
    env.freeze();
    Ok(env)
}
